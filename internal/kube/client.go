package kube

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/lively"
)

// userAgent is what the API server's audit log has.
const userAgent = "mosqagent"

// dialTimeout ends connecting that nobody waits for any more: the calls
// themselves end with their contexts.
const dialTimeout = 5 * time.Second

// namespaceFile is where a pod finds its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Client talks to one namespace of one API server. It may be used from several
// goroutines at once.
type Client struct {
	http      *http.Client
	base      *url.URL
	namespace string
}

// InCluster returns a client with the rights of the pod's service account, for
// the pod's namespace. The token is read again as it is rotated.
func InCluster() (*Client, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("reading the service account: %w", err), "run this in a pod whose service account token is mounted")
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return nil, fmt.Errorf("reading the pod's namespace: %w", err)
	}
	return newClient(config, strings.TrimSpace(string(namespace)))
}

// Config returns a client by the rules of kubectl: the file kubeconfig, else
// those that $KUBECONFIG names, else ~/.kube/config, else the pod's service
// account; the context and the namespace, else those that are current there.
func Config(kubeconfig, context, namespace string) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context}
	overrides.Context.Namespace = namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err == nil {
		namespace, _, err = loader.Namespace()
	}
	if err != nil {
		hint := "set KUBECONFIG, or name the cluster with --kubeconfig and --context; kubectl config get-contexts lists what there is"
		return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the kubeconfig: %w", err), "%s", hint))
	}
	return newClient(config, namespace)
}

// silence keeps client-go from printing; what goes wrong is in the errors.
var silence = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

func newClient(config *rest.Config, namespace string) (*Client, error) {
	silence()
	config.UserAgent = userAgent
	config.Timeout = 0
	// With HTTP/2 all calls would share a connection, and with it its death.
	// Over HTTP/1.1 a call that gets no answer takes its connection with it.
	config.NextProtos = []string{"http/1.1"}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout, Control: lively.Control}).DialContext
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing to talk to %q: %w", config.Host, err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing to talk to %q: %w", config.Host, err)
	}
	return &Client{http: client, base: base, namespace: namespace}, nil
}

// Namespace is the namespace that the client's objects are in.
func (c *Client) Namespace() string { return c.namespace }
