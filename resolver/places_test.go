// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// asksOf counts the servers that the views of a tenant have asked since.
func (w *world) asksOf(host string, since time.Duration) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	servers := map[string]bool{}
	for _, a := range w.asked {
		if a.At >= since && strings.HasPrefix(a.Question, host) {
			servers[a.Upstream] = true
		}
	}
	return len(servers)
}

// TestInvariant12_PlacesAmongTenants: who names servers without end leaves places to others, and says so.
func TestInvariant12_PlacesAmongTenants(t *testing.T) {
	greedy := numbered("greedy.example.com by 192.0.2.%d of greedy", 200)
	second := numbered("second.example.com by 198.51.100.%d of second", 200)
	late := numbered("late%[1]d.example.com by 203.0.113.%[1]d of late", 10)
	bubble(t, onlyIPv4, greedy, []string{up1}, alwaysGood, func(w *world) {
		if n := w.asksOf("greedy", 0); n != maxViewUpstreams-spareUpstreams {
			t.Errorf("%d servers of one tenant, want %d", n, maxViewUpstreams-spareUpstreams)
		}
		if n := len(w.told("fail greedy", ReasonTooManyOfTenant)); n != 200-64 {
			t.Errorf("%d refusals say that the tenant names too many", n)
		}
		w.at(time.Second)
		all := append(slices.Clone(greedy), second...)
		w.want(all...)
		if n := w.asksOf("second", 0); n != tenantPlaces {
			t.Errorf("%d servers of a second tenant, want %d", n, tenantPlaces)
		}
		w.at(2 * time.Second)
		all = append(all, late...)
		w.want(all...)
		if n := w.asksOf("late", 0); n != len(late) {
			t.Errorf("%d servers of one that comes late, want %d", n, len(late))
		}
		// Places that get free go to who has few, and a tenant that had many gets no more of them.
		w.at(3 * time.Second)
		w.want(append(slices.Clone(all[40:]), numbered("more%[1]d.example.com by 203.0.113.%[1]d of more", 30)...)...)
		// Ten of them the late one has asked already: they take no place, and count if they come before the others.
		if n := w.asksOf("more", 0); n < tenantPlaces || n > tenantPlaces+len(late) {
			t.Errorf("%d servers of a fourth tenant, want %d, and up to %d of another's", n, tenantPlaces, len(late))
		}
	})
}

// TestInvariant12_PlacesAreKept: whatever comes, goes and sorts before it, a server that was asked for a view stays asked as long
// as the view is wanted, so that no address of it is left as it was for ever.
func TestInvariant12_PlacesAreKept(t *testing.T) {
	kept := numbered("kept%[1]d.example.com by 192.0.2.%[1]d of kept%[1]d", 100)
	short := func(asked) reply { return reply{ttl: 5} }
	bubble(t, onlyIPv4, kept, []string{up1}, short, func(w *world) {
		for round := range 20 {
			// Each round others come, some of them before those that are kept, some behind them; more than there is room for.
			others := numbered(fmt.Sprintf("x%d-%%[1]d.example.com by 10.0.%d.%%[1]d,tcp://10.0.%d.%%[1]d of t%%[1]d", round, round, round), 40)
			w.want(append(slices.Clone(kept), others...)...)
			w.at(time.Duration(round+1) * 7 * time.Second)
		}
		for _, name := range []string{"kept0.", "kept50.", "kept99."} {
			at := w.times(name)
			for i := range at[1:] {
				if pause := at[i+1] - at[i]; pause > 5*time.Second+rounding {
					t.Errorf("%s was not asked for %v", name, pause)
				}
			}
			if len(at) != 29 {
				t.Errorf("%s was asked %d times in 140 s", name, len(at))
			}
		}
		w.want(kept...)
		if got := len(w.served); got < 100 {
			t.Errorf("%d views served", got)
		}
		w.expectOnlyServed(kept)
	})
}

// expectOnlyServed checks that each of these names' views has one server, and no other view has any.
func (w *world) expectOnlyServed(names []string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	want := map[addressbook.View]bool{}
	for _, s := range names {
		view, _, _ := strings.Cut(s[strings.Index(s, " by ")+4:], " of ")
		want[addressbook.View(view)] = true
	}
	for v, n := range w.served {
		if v != "" && (n == 1) != want[v] || n > 1 {
			w.t.Errorf("view %s is served by %d", v, n)
		}
	}
}
