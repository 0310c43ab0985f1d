// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
	if asked, left := sample(us, maxClusterUpstreams); len(asked) != len(us) || left != 0 {
		t.Errorf("%d asked and %d left out of %d", len(asked), left, len(us))
	}
}

func TestInvariant12_SampleOfManyEndpoints(t *testing.T) {
	us := endpoints(400)
	asked, left := sample(us, maxClusterUpstreams)
	if len(asked) != maxClusterUpstreams+1 || left != 400-maxClusterUpstreams {
		t.Fatalf("%d asked, %d left out", len(asked), left)
	}
	if !slices.Contains(asked, us[0]) {
		t.Error("a server that is named on its own is left out")
	}
	reversed := slices.Clone(us)
	slices.Reverse(reversed)
	again, _ := sample(reversed, maxClusterUpstreams)
	slices.Reverse(again)
	if !slices.Equal(asked, again) {
		t.Error("the sample depends on the order")
	}
	for i := range us { // each endpoint leaves in turn
		rest, _ := sample(slices.Delete(slices.Clone(us), i, i+1), maxClusterUpstreams)
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
	asked, _ := sample(endpoints(400), maxClusterUpstreams)
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

func TestClusterUpstreams(t *testing.T) {
	for _, tc := range []struct{ questions, was, want int }{
		{0, 0, 64}, {6000, 64, 64}, {20_000, 64, 20}, {100_000, 20, 4}, {10_000_000, 4, 2},
		{60_000, 4, 4}, {50_000, 4, 8}, {4000, 40, 64},
	} {
		if got := clusterUpstreams(tc.questions, maxClusterQuestions, tc.was); got != tc.want {
			t.Errorf("%d questions, %d endpoints before: %d, want %d", tc.questions, tc.was, got, tc.want)
		}
	}
}

// TestInvariant12_ManyNamesAtManyEndpoints: the product of both is bounded, and an endpoint that is left out is retired.
func TestInvariant12_ManyNamesAtManyEndpoints(t *testing.T) {
	ups := make([]string, 100)
	for i := range ups {
		ups[i] = fmt.Sprintf("cluster 10.0.0.%d:53", i+1)
	}
	few, many := []string{"few.example.com"}, numbered("n%d.example.com", 200)
	respond := func(a asked) reply {
		if strings.HasPrefix(a.Question, "n") { // the others say nothing to the test
			return blackHole
		}
		return reply{ttl: 3600}
	}
	o := onlyIPv4
	o.clusterQuestions = 4000
	bubble(t, o, few, ups, respond, func(w *world) {
		if got := w.told("record few."); len(got) != maxClusterUpstreams {
			t.Errorf("%d endpoints asked about few names", len(got))
		}
		w.want(append(many, "more.example.com of other")...)
		if got := w.told("record more."); len(got) != 19 {
			t.Errorf("%d endpoints asked about a new name, want 4,000/201", len(got))
		}
		if got := w.told("retire"); len(got) != maxClusterUpstreams-19 {
			t.Errorf("%d endpoints retired, want %d", len(got), maxClusterUpstreams-19)
		}
		w.want(few...)
		w.at(5 * time.Second) // workers are free again
		w.want(append(few, "fresh.example.com of third")...)
		if got := w.told("record fresh."); len(got) != maxClusterUpstreams {
			t.Errorf("%d endpoints asked when there are few names again", len(got))
		}
	})
}
