package main

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// ttl is what clients may keep an answer for, in seconds; not long, for tests.
const ttl = 1

// resolve answers questions for IPv4 addresses over UDP, and says that there
// are no other records.
func resolve(args []string) error {
	var z zone
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	listen := flags.String("listen", "", "address")
	kubeconfig := flags.String("kubeconfig", "", "file")
	flags.StringVar(&z.domain, "domain", "cluster.local", "of Services")
	flags.StringVar(&z.router, "router", "", "address that Routes lead to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	api, err := kubeapi.New(*kubeconfig, 5*time.Second)
	if err != nil {
		return err
	}
	z.api = api
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return fmt.Errorf("listening for questions: %w", err)
	}
	go z.follow(200 * time.Millisecond)
	question := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(question)
		if err != nil {
			return err
		}
		if reply, err := z.answer(question[:n]); err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

// answer makes the reply to a question.
func (z *zone) answer(message []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || header.Response {
		return nil, fmt.Errorf("reading a question: %w", err)
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	addresses, known := z.lookup(strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")))
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	if q.Type == dnsmessage.TypeA {
		for _, a := range addresses {
			ip, err := netip.ParseAddr(a)
			if err != nil || !ip.Is4() {
				continue
			}
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: ttl},
				Body:   &dnsmessage.AResource{A: ip.As4()},
			})
		}
	}
	return reply.Pack()
}
