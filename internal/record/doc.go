// Package record has what the agents of a pair of brokers tell each other: the
// record of who serves, in an annotation of the clients' Service, and the
// messages between controllers and guards, as JSON. It decides nothing.
package record
