// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// A family that the book asks for from now on is asked at once, at the servers of views too; one that it asks for no more
// is not.
func TestFamilies_AreFollowed(t *testing.T) {
	const refused = "127.0.0.1:53"
	names := []string{"a.example.com", "a.example.com by 192.0.2.98:53", "a.example.com by " + refused}
	bubble(t, onlyIPv4, names, []string{up1}, always(reply{ttl: 3600}), func(w *world) {
		if got := w.told("AAAA"); len(got) > 0 {
			t.Fatalf("told %q", got)
		}
		w.at(10 * time.Second)
		w.ask(addressbook.IPv4, addressbook.IPv6)
		want := []string{
			"10s fail a.example.com AAAA by 127.0.0.1:53 127.0.0.1:53 not asked for any policy (this machine, link-local or the cluster's own; without upstreams the cluster's DNS is asked)",
			"10s record a.example.com AAAA 192.0.2.53:53 Good 1h0m0s",
			"10s record a.example.com AAAA by 192.0.2.98:53 192.0.2.98:53 Good 1h0m0s",
		}
		if d := cmp.Diff(want, slices.Sorted(slices.Values(w.told("AAAA")))); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		if got := w.times("a.example.com A "); len(got) != 2 {
			t.Errorf("what was asked before is asked at %v", got)
		}

		w.at(20 * time.Second)
		w.ask(addressbook.IPv6)
		w.want("a.example.com", "b.example.com")
		w.at(2 * time.Hour)
		if got := w.times("a.example.com A "); len(got) != 2 {
			t.Errorf("a family that is not asked any more is asked at %v", got)
		}
		if got := w.times("b.example.com A "); len(got) > 0 {
			t.Errorf("of a new name it is asked at %v", got)
		}
		if got := w.times("b.example.com AAAA"); len(got) < 2 {
			t.Errorf("the other family is asked at %v", got)
		}
	})
}
