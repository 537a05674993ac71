package openshift

import (
	"path"
	"strconv"

	corev1 "k8s.io/api/core/v1"

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
