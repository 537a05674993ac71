package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Service is what concerns a failover of a Kubernetes Service.
type Service struct {
	Name, UID, ResourceVersion string
	Annotations, Selector      map[string]string
	Ports                      []Port
}

// Port is one of a Service's, and where it leads to: TargetPort is 0 where that is
// a port's name.
type Port struct {
	Name       string
	TargetPort int
}

// Change is what Write does to a Service, all of it or nothing.
type Change struct {
	// Old is the value that the annotation record.Annotation must have, "" none;
	// New is the one that it gets, "" none. Where both are "", the annotation
	// is left alone and may have any value.
	Old, New string
	// Selector replaces the Service's selector; nil leaves it.
	Selector map[string]string
	// Ports are those of the Service, in its order, with the TargetPorts that they
	// get; 0 leaves one. Where the Service has others, Write fails.
	Ports []Port
	// Annotations are others to set, or where nil, to delete.
	Annotations map[string]*string
}

const coreAPI = "api/v1"

// object is a Service as the API server writes it.
type object struct {
	Metadata struct {
		Name            string            `json:"name"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Selector map[string]string `json:"selector"`
		Ports    []struct {
			Name string `json:"name"`
			// TargetPort is a number or a name.
			TargetPort any `json:"targetPort"`
		} `json:"ports"`
	} `json:"spec"`
}

// Service reads the Service name, from most of etcd's members, not from a
// cache: what it returns was so at a moment after the call began. It wraps
// ErrNotFound and ErrForbidden.
func (c *Client) Service(ctx context.Context, name string) (Service, error) {
	var o object
	if err := c.do(ctx, request{method: http.MethodGet, api: coreAPI, kind: "services", name: name}, &o); err != nil {
		return Service{}, err
	}
	m := o.Metadata
	s := Service{Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion, Annotations: m.Annotations, Selector: o.Spec.Selector}
	for _, p := range o.Spec.Ports {
		number, _ := p.TargetPort.(float64)
		s.Ports = append(s.Ports, Port{p.Name, int(number)})
	}
	return s, nil
}

// writeTries is how often Write begins anew because something else about the
// Service has changed between its reading and its writing.
const writeTries = 5

// Write changes the Service name if its annotation still is ch.Old, and else
// returns an error that wraps ErrConflict; it wraps ErrNotFound and
// ErrForbidden too. Where the annotation already is ch.New, an earlier call
// whose answer got lost has written it, and that is success. After any other
// error the change may have been made, or may yet be.
func (c *Client) Write(ctx context.Context, name string, ch Change) error {
	var err error
	for range writeTries {
		var base Service
		// A Service with a record has annotations; whether it has others, and
		// whether there are any at all where it has none, must be looked up.
		if ch.Old == "" {
			if base, err = c.Service(ctx, name); err != nil {
				return err
			}
			if done, err := ch.settled(base); done || err != nil {
				return err
			}
		}
		err = c.do(ctx, request{
			method: http.MethodPatch, api: coreAPI, kind: "services", name: name,
			contentType: "application/json-patch+json", in: ch.patch(base),
		}, &object{})
		if code := codeOf(err); code != http.StatusUnprocessableEntity && code != http.StatusConflict {
			return err
		}
		// 422 is a failed test as well as a Service that isn't valid.
		now, readErr := c.Service(ctx, name)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		if done, err := ch.settled(now); done || err != nil {
			return err
		}
		if ch.Old != "" && codeOf(err) == http.StatusUnprocessableEntity {
			return err
		}
	}
	return err
}

// settled compares what is there with what ch wants to find and to leave.
func (ch Change) settled(now Service) (done bool, err error) {
	is := now.Annotations[record.Annotation]
	switch {
	case ch.Old == ch.New && ch.New == "", is == ch.Old:
		return false, nil
	case is == ch.New:
		return true, nil
	}
	return false, fmt.Errorf("writing the annotation %q of services %q: %w: it is %q", record.Annotation, now.Name, ErrConflict, is)
}

// operation is one of a JSON patch, RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// patch is ch as a JSON patch, all of which fails where a test does. base is
// the Service as read where ch.Old is "".
func (ch Change) patch(base Service) []operation {
	const root = "/metadata/annotations"
	path := root + "/" + escape(record.Annotation)
	var ops []operation
	if ch.Old != "" {
		ops = append(ops, operation{"test", path, ch.Old})
	} else {
		// There is no testing that something is absent.
		ops = append(ops, operation{"test", "/metadata/resourceVersion", base.ResourceVersion})
		if base.Annotations == nil {
			ops = append(ops, operation{"add", root, map[string]string{}})
		}
	}
	switch {
	case ch.New != "":
		ops = append(ops, operation{"add", path, ch.New})
	case ch.Old != "":
		ops = append(ops, operation{Op: "remove", Path: path})
	}
	for _, key := range slices.Sorted(maps.Keys(ch.Annotations)) {
		path, value := root+"/"+escape(key), ch.Annotations[key]
		if value != nil {
			ops = append(ops, operation{"add", path, *value})
			continue
		}
		// Removing what isn't there is an error.
		ops = append(ops, operation{"add", path, ""}, operation{Op: "remove", Path: path})
	}
	if ch.Selector != nil {
		ops = append(ops, operation{"add", "/spec/selector", ch.Selector})
	}
	for i, p := range ch.Ports {
		if at := fmt.Sprintf("/spec/ports/%d/", i); p.TargetPort != 0 {
			ops = append(ops, operation{"test", at + "name", p.Name}, operation{"add", at + "targetPort", p.TargetPort})
		}
	}
	return ops
}

// escape is RFC 6901's for a key in a path.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
