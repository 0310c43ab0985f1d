// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func TestViewOf(t *testing.T) {
	if a, b := ViewOf([]string{"10.0.0.2:53", "10.0.0.1:53", "10.0.0.2:53"}), ViewOf([]string{"10.0.0.1:53", "10.0.0.2:53"}); a != b {
		t.Errorf("order and repeats matter: %q, %q", a, b)
	}
	if got := ViewOf([]string{"b", "a"}).Upstreams(); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("upstreams %q", got)
	}
	if v := ViewOf(nil); v != "" || v.Upstreams() != nil {
		t.Errorf("no upstreams: %q, %q", v, v.Upstreams())
	}
}

// TestView_KeepsToItself: what a server says that one policy names must reach no other policy, though both list the name
// and both ask a server of that address.
func TestView_KeepsToItself(t *testing.T) {
	w := newWorld(t, Options{})
	tenant := Owner{Kind: "FQDNEgressPolicy", Namespace: "evil", Name: "tenant"}
	own := ViewOf([]string{string(upstream)})
	w.Want(tenant, Wants{Patterns: []fqdn.Pattern{pattern(www)}, View: own}, w.now)
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.expectNotified(web)

	key := Key{View: own, Name: host(www), Source: upstream}
	w.Record(key, Answer{Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.66")}, TTL: time.Minute}, w.now)
	w.expectNotified(tenant)
	w.expect("192.0.2.1")
	if got := w.Snapshot(tenant, w.now).Patterns[0].Addresses; len(got) != 1 || got[0].Addr.String() != "203.0.113.66" {
		t.Errorf("the tenant has %v", got)
	}

	w.Retire(own, upstream, w.now)
	w.Fail(key, "timeout", w.now)
	w.expect("192.0.2.1")
	w.notified = nil

	// Not even a change of view takes along what another said.
	w.Want(tenant, Wants{Patterns: []fqdn.Pattern{pattern(www)}}, w.now)
	w.expect("192.0.2.1")
	if got := w.Snapshot(tenant, w.now).Patterns[0].Addresses; len(got) != 1 || got[0].Addr.String() != "192.0.2.1" {
		t.Errorf("after the change of view the tenant has %v", got)
	}
	if wanted := w.newFollower().wanted(); !slices.Equal(wanted, []Subject{{Name: host(www)}}) {
		t.Errorf("wanted %v", wanted)
	}
}
