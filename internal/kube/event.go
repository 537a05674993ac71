package kube

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kinds of events.
const (
	Normal  = "Normal"
	Warning = "Warning"
)

// maxMessage is what the API server takes of an event's message, in bytes.
const maxMessage = 1024

// Event puts an event on the Service s, where kubectl describe shows it: kind
// is Normal or Warning, reason a word in CamelCase, message a sentence.
func (c *Client) Event(ctx context.Context, s Service, kind, reason, message string) error {
	now := time.Now().UTC()
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	name := fmt.Sprintf("%s.%x", s.Name, now.UnixNano())
	event := map[string]any{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]string{"name": name, "namespace": c.namespace},
		"involvedObject": map[string]string{
			"apiVersion": "v1", "kind": "Service", "name": s.Name, "namespace": c.namespace,
			"uid": s.UID, "resourceVersion": s.ResourceVersion,
		},
		"type": kind, "reason": reason, "message": message, "count": 1,
		"firstTimestamp": now.Format(time.RFC3339), "lastTimestamp": now.Format(time.RFC3339),
		"source": map[string]string{"component": userAgent},
	}
	return c.do(ctx, request{method: http.MethodPost, api: coreAPI, kind: "events", name: name, in: event}, &struct{}{})
}
