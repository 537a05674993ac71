package cmd

import (
	"fmt"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
)

// checkSeries refuses a broker that is older than the configuration is rendered
// for: 2.0 has none of the plugins by which that for 2.1 reads its files. The other
// way round it works, by options that 2.1 calls deprecated.
func (a *app) checkSeries(cfg config.Config, locks packages.Locks) error {
	for _, l := range locks {
		p, _ := l.Find("mosquitto")
		var major, minor int
		if _, err := fmt.Sscanf(p.Version, "%d.%d", &major, &minor); err != nil {
			continue // nothing is known of it
		}
		old := major < 2 || major == 2 && minor < 1
		switch {
		case old && cfg.Mosquitto == "2.1":
			err := fmt.Errorf("comparing with the configuration, which says mosquitto: %q: the package is of version %q", cfg.Mosquitto, p.Version)
			return fault.With(fault.Refused, fault.Hint(err,
				`write mosquitto: "2.0", or take packages of 2.1: mosqbuild packages build --mosquitto 2.1, then mosqbuild image build --local`))
		case !old && cfg.Mosquitto != "2.1":
			a.progress("the broker is %s, and its configuration is that for 2.0, which works, though the log calls it deprecated; mosquitto: \"2.1\" has the new one", p.Version)
			return nil
		}
	}
	return nil
}
