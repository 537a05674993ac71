package openshift

import (
	"path"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// The client gives up a second before the kubelet does, so that the probe fails
// with the client's message rather than by being killed. Liveness is the more
// patient: to turn clients away from a broker that is only busy does no harm, to
// restart it does.
const (
	readySeconds = 2
	aliveSeconds = 4
)

// probes ask the broker over MQTT. A stopped or stuck broker still accepts TCP
// connections, since the kernel does that for it: a tcpSocket probe is blind.
//
// A stuck broker doesn't hear SIGTERM either, so that liveness has a grace
// period of its own: from the hang to the restart it takes at most
// 3 × 5 s + 5 s + 5 s = 25 s, and clients are turned away after at most 13 s.
func (d objects) probes() (startup, readiness, liveness *corev1.Probe) {
	if d.pair() {
		readiness, liveness = healthProbes()
		return nil, readiness, liveness
	}
	probe := func(client, period, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: d.probeCommand(client)}},
			TimeoutSeconds:   client + 1,
			PeriodSeconds:    period,
			FailureThreshold: failures,
			SuccessThreshold: 1,
		}
	}
	startup, readiness, liveness = probe(readySeconds, 1, 30), probe(readySeconds, 5, 2), probe(aliveSeconds, 5, 3)
	liveness.TerminationGracePeriodSeconds = new(int64(5))
	return startup, readiness, liveness
}

// healthProbes ask an agent, which asks the broker itself and more often: here
// it is only said on. A broker that hangs, its guard kills; liveness is about
// the guard alone, and so patient.
//
// Clients that ask for a Ready pod lose one after 3 × 1 s at most, which switches
// nothing: the controllers do, by their own probes. A guard that hangs is
// restarted after 6 × 5 s + 3 s, with 5 s of grace, not the pod's; until then its
// broker serves on, whatever became of its permit.
func healthProbes() (readiness, liveness *corev1.Probe) {
	probe := func(path string, timeout, period, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: path, Port: intstr.FromString(config.HealthListener), Scheme: corev1.URISchemeHTTP,
			}},
			TimeoutSeconds: timeout, PeriodSeconds: period, FailureThreshold: failures, SuccessThreshold: 1,
		}
	}
	readiness, liveness = probe("/readyz", 1, 1, 3), probe("/livez", 3, 5, 6)
	liveness.TerminationGracePeriodSeconds = new(int64(5))
	return readiness, liveness
}

// probeCommand logs in as the health user and waits for one message: that of a
// retained topic, so that it is there at once, or that long. A plain listener is cheaper to
// ask than one with TLS.
func (d objects) probeCommand(seconds int32) []string {
	l, plain := d.cfg.Listener(false)
	if !plain {
		l, _ = d.cfg.Listener(true)
	}
	args := []string{
		config.ClientPath, "-h", "127.0.0.1", "-p", strconv.Itoa(l.Port),
		"-t", config.HealthTopic, "-C", "1", "-W", strconv.Itoa(int(seconds)),
	}
	if plain {
		return args
	}
	args = append(args, "--cafile", path.Join(config.CertsDir, config.CAFile))
	if s := d.cfg.TLS.Source; s == config.SourceFiles || s == config.SourceServiceCA {
		// Certificates from elsewhere needn't name the loopback address;
		// the chain is still checked.
		args = append(args, "--insecure")
	}
	return args
}
