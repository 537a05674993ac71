package openshift

import (
	"fmt"
	"io"
	"strings"
)

// WriteGraph draws the objects, and the ways data takes between them, as a
// Mermaid flowchart: clients to Routes, load balancers and Services, on to the
// listeners; files and volumes to the workloads that mount them; bridges, by the
// addresses in mosquitto.conf. What is named but isn't among the objects is
// drawn as such. The order is that of the objects.
func WriteGraph(w io.Writer, objs []Object) error {
	g, err := newGraph(objs)
	if err != nil {
		return err
	}
	for _, draw := range []func() error{g.outside, g.services, g.others} {
		if err := draw(); err != nil {
			return err
		}
	}
	g.workloads()
	_, err = io.WriteString(w, g.mermaid())
	return err
}

// shape is how a node is drawn, as what Mermaid has around its label.
type shape [2]string

var (
	shapeBox    = shape{"[", "]"}
	shapeClient = shape{"([", "])"}
	shapeWay    = shape{"{{", "}}"}
	shapeFile   = shape{"[/", "/]"}
	shapeVolume = shape{"[(", ")]"}
)

// node is an object, or something besides that takes part.
type node struct {
	id     string
	label  []string // lines
	shape  shape
	inside []node // listeners and bridges of a workload
	absent string // what is named but isn't among the objects
}

// edge is a way from one node to another.
type edge struct {
	from, arrow, to, label string
}

const (
	arrowData   = "-->"
	arrowUse    = "-.->"
	arrowBridge = "<==>"
)

// graph is what is drawn so far.
type graph struct {
	objects []*member
	pods    []pod
	nodes   []node
	edges   []edge
	taken   map[string]int // ids, with the next number for one more of it
	// spread tells that there is more than one namespace.
	spread bool
}

// member is an object of the graph; node is its place in graph.nodes.
type member struct {
	patchTarget
	namespace string
	content   map[string]any
	node      int
}

func newGraph(objs []Object) (*graph, error) {
	objects, err := trees(objs)
	if err != nil {
		return nil, err
	}
	g := &graph{taken: map[string]int{}}
	for _, content := range objects {
		m := &member{patchTarget: identify(content), content: content}
		m.namespace, _ = walkTo(content, []string{"metadata"})["namespace"].(string)
		g.spread = g.spread || m.namespace != "" && len(g.objects) > 0 && m.namespace != g.objects[0].namespace
		g.objects = append(g.objects, m)
	}
	for _, m := range g.objects {
		label := []string{m.Kind + " " + m.Name}
		if g.spread && m.namespace != "" {
			label = append(label, "in "+m.namespace)
		}
		m.node = g.add(m.Kind, m.Name, shapeOf(m.Kind), label...)
	}
	return g, g.readPods()
}

func shapeOf(kind string) shape {
	switch kind {
	case "Route", "IngressRouteTCP":
		return shapeWay
	case "Secret", "ConfigMap":
		return shapeFile
	case "PersistentVolumeClaim":
		return shapeVolume
	}
	return shapeBox
}

// add makes a node and returns its place.
func (g *graph) add(kind, name string, s shape, label ...string) int {
	g.nodes = append(g.nodes, node{id: g.id(kind, name), label: label, shape: s})
	return len(g.nodes) - 1
}

// id is one that no other has. It begins with "n", since Mermaid takes an id
// that begins with one of its own words ("end", "class"…) for that word.
func (g *graph) id(kind, name string) string {
	stem := "n_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(strings.TrimPrefix(kind+"_"+name, "_")))
	id, next := stem, g.taken[stem]
	for ; g.taken[id] > 0; next++ {
		id = fmt.Sprintf("%s_%d", stem, next)
	}
	g.taken[stem] = next
	g.taken[id] = max(g.taken[id], 2)
	return id
}

// connect draws an edge, unless it is drawn already.
func (g *graph) connect(from, arrow, to, label string) {
	e := edge{from, arrow, to, label}
	for _, there := range g.edges {
		if there == e {
			return
		}
	}
	g.edges = append(g.edges, e)
}

// find returns the id of an object that m names: in m's namespace, unless
// another is given. What isn't there gets a node that says so.
func (g *graph) find(m *member, kind, name string) string {
	for _, o := range g.objects {
		if o.Kind == kind && o.Name == name && (o.namespace == m.namespace || o.namespace == "" || m.namespace == "") {
			return g.nodes[o.node].id
		}
	}
	return g.absent(m, kind, name, "(not among these)")
}

// made is find for a Secret that something in the cluster makes.
func (g *graph) made(m *member, secret string) string {
	for _, o := range g.objects {
		if o.is("", "Secret") && o.Name == secret && o.namespace == m.namespace {
			return g.nodes[o.node].id
		}
	}
	return g.absent(m, "Secret", secret, "(made in the cluster)")
}

// absent returns the id of a node for what m names and nobody wrote; why is on
// it where it is new.
func (g *graph) absent(m *member, kind, name, why string) string {
	key := kind + " " + m.namespace + "/" + name
	for _, n := range g.nodes {
		if n.absent == key {
			return n.id
		}
	}
	i := g.add(kind, name, shapeOf(kind), kind+" "+name, why)
	g.nodes[i].absent = key
	return g.nodes[i].id
}

// someone returns the id of a node for clients.
func (g *graph) someone(name string) string {
	for _, n := range g.nodes {
		if n.shape == shapeClient && n.label[0] == name {
			return n.id
		}
	}
	return g.nodes[g.add("", name, shapeClient, name)].id
}

// mermaid is the graph as text; see https://mermaid.js.org/syntax/flowchart.html
func (g *graph) mermaid() string {
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	for _, n := range g.nodes {
		if len(n.inside) == 0 {
			fmt.Fprintf(&out, "  %s\n", n.text())
			continue
		}
		fmt.Fprintf(&out, "  subgraph %s[%s]\n", n.id, quoted(n.label...))
		for _, l := range n.inside {
			fmt.Fprintf(&out, "    %s\n", l.text())
		}
		out.WriteString("  end\n")
	}
	for _, e := range g.edges {
		label := ""
		if e.label != "" {
			label = "|" + quoted(e.label) + "|"
		}
		fmt.Fprintf(&out, "  %s %s%s %s\n", e.from, e.arrow, label, e.to)
	}
	return out.String()
}

func (n node) text() string { return n.id + n.shape[0] + quoted(n.label...) + n.shape[1] }

// quoted is a label of these lines. Whatever could mean something to Mermaid,
// or to the HTML that it makes, is written as a character's number.
func quoted(lines ...string) string {
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteString("<br/>")
		}
		for _, r := range line {
			plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ,./-_()", r)
			switch {
			case plain:
				out.WriteRune(r)
			case r < ' ':
				out.WriteByte(' ')
			default:
				fmt.Fprintf(&out, "#%d;", r)
			}
		}
	}
	return `"` + out.String() + `"`
}
