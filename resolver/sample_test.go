// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// endpoints returns n of the cluster's DNS, as a DaemonSet has them, and one server that is named on its own.
func endpoints(n int) []Listed {
	us := []Listed{{Upstream: dnsclient.UDP(netip.MustParseAddrPort("192.0.2.53:53"))}}
	addr := netip.MustParseAddr("10.0.0.1")
	for range n {
		u := Listed{Upstream: dnsclient.UDP(netip.AddrPortFrom(addr, 53)), Cluster: true}
		us, addr = append(us, u), addr.Next()
	}
	return us
}

func TestSample_AsksAllOfFew(t *testing.T) {
	us := endpoints(maxClusterUpstreams)
	if asked, left := sample(us); len(asked) != len(us) || left != 0 {
		t.Errorf("%d asked and %d left out of %d", len(asked), left, len(us))
	}
}

func TestInvariant12_SampleOfManyEndpoints(t *testing.T) {
	us := endpoints(400)
	asked, left := sample(us)
	if len(asked) != maxClusterUpstreams+1 || left != 400-maxClusterUpstreams {
		t.Fatalf("%d asked, %d left out", len(asked), left)
	}
	if !slices.Contains(asked, us[0]) {
		t.Error("a server that is named on its own is left out")
	}
	reversed := slices.Clone(us)
	slices.Reverse(reversed)
	again, _ := sample(reversed)
	slices.Reverse(again)
	if !slices.Equal(asked, again) {
		t.Error("the sample depends on the order")
	}
	for i := range us { // each endpoint leaves in turn
		rest, _ := sample(slices.Delete(slices.Clone(us), i, i+1))
		changed := 0
		for _, u := range asked {
			changed += boolToInt(!slices.Contains(rest, u))
		}
		if gone := boolToInt(slices.Contains(asked, us[i])); changed != gone {
			t.Errorf("%s leaves, and %d of the sample with it, want %d", us[i], changed, gone)
		}
	}
}

// The sample must not be a stretch of neighbours, which may be nodes of one zone or one pool.
func TestSample_SpreadsOverNeighbours(t *testing.T) {
	asked, _ := sample(endpoints(400))
	low := 0
	for _, u := range asked[1:] {
		low += boolToInt(u.Server().Addr().Compare(netip.MustParseAddr("10.0.0.201")) < 0)
	}
	if low < maxClusterUpstreams/4 || low > maxClusterUpstreams*3/4 {
		t.Errorf("%d of %d are from the first half", low, maxClusterUpstreams)
	}
}

func TestResolver_AsksASampleOfManyEndpoints(t *testing.T) {
	ups := make([]string, 100)
	for i := range ups {
		ups[i] = fmt.Sprintf("cluster 10.0.0.%d:53", i+1)
	}
	bubble(t, onlyIPv4, []string{"www.example.com"}, ups, always(reply{ttl: 3600}), func(w *world) {
		w.at(time.Minute)
		if got := w.told("record www.example.com"); len(got) != maxClusterUpstreams {
			t.Errorf("%d endpoints were asked, want %d", len(got), maxClusterUpstreams)
		}
	})
}
