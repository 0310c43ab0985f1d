// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// TestSource_IsShort: a message has room for three of them, and two upstreams stay two.
func TestSource_IsShort(t *testing.T) {
	label := strings.Repeat("long.", 47)
	a, b := mustUpstream(t, "tls://192.0.2.1#"+label+"a.example"), mustUpstream(t, "tls://192.0.2.1#"+label+"b.example")
	if sourceOf(a) == sourceOf(b) || len(sourceOf(a)) > maxSource || !strings.HasPrefix(string(sourceOf(a)), "tls://192.0.2.1:853#long.") {
		t.Errorf("sources %q and %q", sourceOf(a), sourceOf(b))
	}
	if got := shortened(strings.Repeat("é", 100), maxReason); len(got) > maxReason || !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
}

func TestDistinct(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:53"), netip.MustParseAddrPort("10.0.0.2:53")
	udp, tcp, tls := dnsclient.UDP, dnsclient.TCP, dnsclient.TLS
	listed := func(us ...dnsclient.Upstream) []Listed { return Static(us...).(static) }
	x, y := given.Name(t, "x.example.net"), given.Name(t, "y.example.net")
	inCluster := Listed{Upstream: udp(a), Cluster: true}
	got := distinct(append(append(listed(tcp(b), tls(b, y), udp(b), udp(a), tls(b, x), tcp(b)), inCluster), listed(tls(b, fqdn.Name{}), tls(b, y))...))
	want := append([]Listed{inCluster}, listed(udp(b), tcp(b), tls(b, fqdn.Name{}), tls(b, x), tls(b, y))...)
	if !slices.Equal(want, got) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSourceOf_IsTheUpstream(t *testing.T) {
	for _, want := range []string{"10.96.0.10:53", "tcp://[fd00::a]:5353", "tls://9.9.9.9:853#dns.quad9.net"} {
		if got := sourceOf(mustUpstream(t, want)); string(got) != want {
			t.Errorf("%q is %q", want, got)
		}
	}
}
