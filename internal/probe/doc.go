// Package probe looks at a running broker from outside, as clients do: it logs
// in over MQTT 3.1.1 and 5 on the plain and the TLS listener, with the right,
// a wrong and no password, checks the certificate's chain and name, and sends
// messages there and back at each quality of service, a retained one too.
//
// It wants a broker that may be written to: its messages go to a random topic
// below TopicPrefix, and it leaves nothing behind. What a kubelet should ask
// of a broker every few seconds is another thing, and much less: a Pinger's
// answers, which also are what agents watch a broker by. Retained says what a
// broker has retained.
package probe
