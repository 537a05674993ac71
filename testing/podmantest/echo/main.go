// Command echo stands in for the broker where a test is about the container:
// it prints who it runs as and what it may write, then answers each connection
// to the ports given as arguments with the port's number, until SIGTERM.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	groups, err := os.Getgroups()
	fmt.Println("user", os.Getuid(), os.Getgid(), groups, err)
	for _, dir := range []string{"/", "/mosquitto/data"} {
		err := os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600)
		fmt.Println("write", dir, err == nil)
	}
	if len(os.Args) == 1 {
		return
	}
	for _, port := range os.Args[1:] {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		go serve(l, port)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("serving")
	fmt.Println("got", <-stop)
}

func serve(l net.Listener, port string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(conn, port)
		conn.Close()
	}
}
