package agentcmd

import (
	"context"

	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// service reads the record where it is kept.
type service struct {
	client *kube.Client
	name   string
}

// Record returns the record as most of etcd's members have it.
func (s service) Record(ctx context.Context) (*record.Record, error) {
	got, err := s.client.Service(ctx, s.name)
	if err != nil {
		return nil, err
	}
	return record.Parse(got.Annotations[record.Annotation])
}
