// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
)

// Options sets up a Resolver. A zero field takes its default.
type Options struct {
	// MinTTL (1s) and MaxTTL (5m) clamp how long after an answer a question is asked again, but for the confirmation of an
	// entry that rotates. The book gets the real TTL.
	MinTTL, MaxTTL time.Duration
	// MaxQPS (1000) bounds the questions a second to each server, by whichever transport, port and view, with bursts of five
	// seconds' worth; those of views have a tenth of it together. A retry and what follows from truncation belong to the same
	// question.
	MaxQPS int
	// ViewUpstreams are the blocks in which the upstreams of views other than the zero one must lie; nil: anywhere.
	ViewUpstreams []netip.Prefix
	// NeverAsk tells whether no view may name a server at an address, whatever ViewUpstreams has; by default addresses of
	// this machine, link-local ones and those of no single server. The loop calls it once for each upstream of a new view.
	NeverAsk func(context.Context, netip.Addr) bool
	// Workers (1024) bounds the questions in flight. Each upstream of the process has an equal share, so that a dead one delays none
	// of another; over TLS at most 32. Those of views have sixteen each beside these.
	Workers int

	// Clock is the real one by default. It must be the one whose times the Book gets elsewhere.
	Clock clock.Clock
	// Exchanger is a *dnsclient.Sockets by default.
	Exchanger Exchanger
	// Registerer gets the metrics; nil: nobody does.
	Registerer prometheus.Registerer
	// Log discards by default.
	Log logr.Logger
	// Rand returns numbers in [0,1) for the jitter of backoffs; math/rand/v2 by default. One goroutine calls it.
	Rand func() float64

	clusterQuestions int // maxClusterQuestions; fewer in tests
}

const (
	defaultMinTTL  = time.Second
	defaultMaxTTL  = 5 * time.Minute
	defaultMaxQPS  = 1000
	defaultWorkers = 1024
)

func (o Options) withDefaults() Options {
	o.MinTTL = orDefault(o.MinTTL, defaultMinTTL)
	o.MaxTTL = orDefault(o.MaxTTL, defaultMaxTTL)
	o.MaxQPS = orDefault(o.MaxQPS, defaultMaxQPS)
	o.Workers = orDefault(o.Workers, defaultWorkers)
	o.clusterQuestions = orDefault(o.clusterQuestions, maxClusterQuestions)
	if o.NeverAsk == nil {
		o.NeverAsk = neverAsk
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return o
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (o Options) validate() error {
	switch {
	case o.MinTTL < 0 || o.MaxTTL < o.MinTTL:
		return fmt.Errorf("the clamp [%v, %v] of TTLs is empty or negative", o.MinTTL, o.MaxTTL)
	case o.MaxQPS < 0:
		return errors.New("the query budget is negative")
	case o.Workers < 0:
		return errors.New("the number of workers is negative")
	}
	return nil
}
