package packages

import (
	"errors"
	"fmt"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// place is where a repository is read from.
type place struct {
	location string // URL or folder
	origin   string // as Index has it
}

// places returns where the repositories of o are. A mirror's folder stands for
// all that it holds copies of.
func (o Options) places() ([]place, error) {
	if len(o.Repositories) == 0 {
		return nil, fault.With(fault.Usage, errors.New("resolving packages: no repository is named"))
	}
	var places []place
	for _, location := range o.Repositories {
		mirrored, err := readMirror(location)
		if err != nil {
			return nil, fmt.Errorf("opening repository %q: %w", location, err)
		}
		if mirrored == nil {
			places = append(places, place{location: location})
			continue
		}
		copies, err := mirrored.places(o.Architecture())
		if err != nil {
			return nil, fmt.Errorf("opening repository %q: %w", location, err)
		}
		places = append(places, copies...)
	}
	return places, nil
}
