// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"testing"
)

func TestShareWorkers_OverTLS(t *testing.T) {
	few, many := Options{Workers: 6}, Options{}
	for _, tc := range []struct {
		options  Options
		udp, dot int
	}{{few, 3, 3}, {many, 512, 32}} {
		r, err := New(newSilentBook(t), Static(mustUpstream(t, "192.0.2.1"), mustUpstream(t, "tls://192.0.2.1")), tc.options)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r.subscription = r.book.Subscribe()
		r.followWanted(ctx)
		cancel()
		udp, dot := r.lanes[laneKey{upstream: mustUpstream(t, "192.0.2.1")}].workers, r.lanes[laneKey{upstream: mustUpstream(t, "tls://192.0.2.1")}].workers
		if udp != tc.udp || dot != tc.dot {
			t.Errorf("of %d workers UDP has %d and TLS %d, want %d and %d", r.options.Workers, udp, dot, tc.udp, tc.dot)
		}
	}
}
