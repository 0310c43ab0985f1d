// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func (w *world) wantsHeld(o Owner, held []string, names ...string) {
	var wants Wants
	for _, s := range names {
		wants.Patterns = append(wants.Patterns, pattern(s))
	}
	for _, s := range held {
		wants.Held = append(wants.Held, pattern(s))
	}
	w.Want(o, wants, w.now)
}

// The table of held.go.
func TestHeld_GetTheirPlacesBack(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 3})
	w.Forget(web)
	p, q, r, s := in("shop", "p"), in("shop", "q"), in("shop", "r"), in("shop", "s")
	w.wants(p, nil, "a.example", "b.example", "c.example")
	f := w.newFollower()
	w.notified = nil
	w.wantsHeld(q, []string{"d.example"}, "d.example", "e.example")
	w.expectLimits(p, NoLimit, NoLimit, NamesPerTenant)
	w.expectLimits(q, NoLimit, NamesPerTenant)
	w.expectNotified(p)
	w.wantsHeld(r, []string{"c.example"}, "c.example")
	w.expectLimits(p, NoLimit, NamesPerTenant, NoLimit)
	w.pass(time.Minute)
	w.wantsHeld(s, []string{"f.example"}, "f.example")
	w.expectLimits(s, NamesPerTenant)
	w.expectLimits(p, NoLimit, NamesPerTenant, NoLimit)
	want := []Subject{{Name: host("a.example")}, {Name: host("c.example")}, {Name: host("d.example")}}
	if got := f.wanted(); !slices.Equal(got, want) {
		t.Errorf("wanted %v, want %v", got, want)
	}
	w.Forget(q)
	w.expectLimits(p, NoLimit, NoLimit, NoLimit) // b waits before f, as it had its place before
	w.expectLimits(s, NamesPerTenant)
}

// Names that were admitted when all was settled do not yield, whatever is said to be held.
func TestHeld_IsOverWhenAllIsSettled(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 3})
	w.pass(59 * time.Second)
	w.wants(in("shop", "p"), nil, "a.example", "b.example")
	w.pass(time.Second)
	for i := range 5 {
		o := in("shop", fmt.Sprint("again", i))
		w.wantsHeld(o, []string{"x.example", "y.example"}, "x.example", "y.example")
		w.expectLimits(o, NamesPerTenant, NamesPerTenant)
		w.Forget(o)
	}
	w.expectLimits(in("shop", "p"), NoLimit, NoLimit)
}

// Many policies list the same names, more often than they may. Those that were written get their places back, in whatever order the
// policies come.
func TestHeld_ListingsGetTheirPlacesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New(Options{MaxListingsPerTenant: 12})
		ps, _ := manyNames(4)
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "order")
		held := rapid.IntRange(0, 3).Draw(t, "held")
		for _, i := range order {
			wants := Wants{Patterns: ps}
			if i < held {
				wants.Held = ps
			}
			b.Want(in("shop", fmt.Sprint(i)), wants, start)
		}
		admitted := 0
		for i := range order {
			for _, e := range b.Snapshot(in("shop", fmt.Sprint(i)), start).Patterns {
				if e.Limit == NoLimit {
					admitted++
				} else if i < held || e.Limit != ListingsPerTenant {
					t.Fatalf("%s of policy %d waits because of limit %d", e.Pattern, i, e.Limit)
				}
			}
		}
		if admitted != 12 || b.tenants["shop"].listings.Load() != 12 {
			t.Fatalf("%d listings are admitted, %d counted", admitted, b.tenants["shop"].listings.Load())
		}
	})
}

// The same where the process has no room for others any more, of listings and of names.
func TestHeld_TakeThePlacesOfOthersInAFullProcess(t *testing.T) {
	for name, o := range map[string]Options{
		"listings": {MaxListingsPerTenant: 6, MaxListings: 10},
		"names":    {MaxNamesPerTenant: 6, MaxNames: 10},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o)
			w.Forget(web)
			unheld, held := in("shop", "unheld"), in("shop", "held")
			w.wants(in("other", "p"), nil, "o1.example", "o2.example")
			w.wants(unheld, nil, "a.example", "b.example", "c.example", "d.example", "e.example", "f.example")
			w.wantsHeld(held, []string{"g.example", "h.example"}, "g.example", "h.example")
			w.expectLimits(held, NoLimit, NoLimit)
			waits := NamesPerTenant
			if name == "listings" {
				waits = ListingsPerTenant
			}
			w.expectLimits(unheld, NoLimit, NoLimit, NoLimit, NoLimit, waits, waits)
		})
	}
}

// What is remembered for that minute goes with the next answer to anybody, not only when its tenant lists something else.
func TestHeld_TakesNoMemoryWhenAllIsSettled(t *testing.T) {
	w := newWorld(t, Options{Families: []Family{IPv4}})
	w.wants(in("other", "p"), nil, "a.example")
	w.answer(upstream, time.Minute, "192.0.2.1")
	if got := len(w.unheld); got != 2 {
		t.Errorf("names of %d tenants are remembered, want 2", got)
	}
	w.pass(time.Minute)
	w.answer(upstream, time.Minute, "192.0.2.1")
	if w.unheld != nil {
		t.Errorf("%v are remembered", w.unheld)
	}
}

// A limit that was lowered takes nothing from who was there, but nobody gets more than the process has.
func TestHeld_BeyondTheLimits(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 3, MaxNames: 10})
	w.Forget(web)
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("x%d.example.com", i))
	}
	w.wantsHeld(in("big", "p"), names, names...)
	w.wantsHeld(in("small", "p"), []string{www, "a.example"}, www, "a.example")
	w.expectLimits(in("small", "p"), NoLimit, NoLimit)
	if got := w.Stats().Names; got != 10 {
		t.Errorf("%d names", got)
	}
}

// restart starts a Book anew with the policies in some order, each of which holds what it held.
type heldWorld struct {
	limit    int
	policies map[Owner][]fqdn.Pattern
	held     map[Owner]map[fqdn.Pattern]bool
}

// start returns a Book that got all policies in that order.
func (h *heldWorld) start(order []Owner, apart time.Duration) (*Book, time.Time) {
	b, now := New(Options{MaxNamesPerTenant: h.limit}), start
	for _, o := range order {
		wants := Wants{Patterns: h.policies[o]}
		for _, p := range wants.Patterns {
			if h.held[o][p] {
				wants.Held = append(wants.Held, p)
			}
		}
		b.Want(o, wants, now)
		now = now.Add(apart)
	}
	return b, now
}

// admitted returns what is not held back, by owner.
func (h *heldWorld) admitted(b *Book, now time.Time) map[Owner]map[fqdn.Pattern]bool {
	all := map[Owner]map[fqdn.Pattern]bool{}
	for o := range h.policies {
		all[o] = map[fqdn.Pattern]bool{}
		for _, e := range b.Snapshot(o, now).Patterns {
			if e.Limit == NoLimit {
				all[o][e.Pattern] = true
			}
		}
	}
	return all
}

// namesOf returns the names of a tenant.
func namesOf(of map[Owner]map[fqdn.Pattern]bool, t Tenant) map[fqdn.Pattern]bool {
	names := map[fqdn.Pattern]bool{}
	for o, ps := range of {
		for p := range ps {
			if o.Tenant() == t {
				names[p] = true
			}
		}
	}
	return names
}

// Whatever the order in which the policies come after a start: what was held is admitted, the limit holds, and after the next
// start the same names are there.
func TestHeld_TheOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &heldWorld{limit: rapid.IntRange(1, 6).Draw(t, "limit"), policies: map[Owner][]fqdn.Pattern{}, held: map[Owner]map[fqdn.Pattern]bool{}}
		var owners []Owner
		for i := range rapid.IntRange(1, 6).Draw(t, "policies") {
			o := Owner{"K", rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace"), fmt.Sprint(i)}
			owners = append(owners, o)
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(1, 10), 0, 6, rapid.ID).Draw(t, "names") {
				h.policies[o] = append(h.policies[o], pattern(fmt.Sprintf("n%d.example.com", n)))
			}
			if _, none := h.policies[o]; !none {
				h.policies[o] = nil
			}
		}
		for start := range 4 {
			order := rapid.Permutation(owners).Draw(t, "order")
			b, now := h.start(order, rapid.SampledFrom([]time.Duration{0, time.Second, 9 * time.Second}).Draw(t, "apart"))
			got := h.admitted(b, now)
			for _, tenant := range []Tenant{"a", "b"} {
				names, held := namesOf(got, tenant), namesOf(h.held, tenant)
				listed := map[fqdn.Pattern]bool{}
				for o, ps := range h.policies {
					for _, p := range ps {
						if o.Tenant() == tenant {
							listed[p] = true
						}
					}
				}
				for p := range held {
					if !names[p] {
						t.Fatalf("start %d: %s was held and is not admitted", start, p)
					}
				}
				if want := min(h.limit, len(listed)); len(names) != want {
					t.Fatalf("start %d: tenant %s has %d names, want %d", start, tenant, len(names), want)
				}
				if d := cmp.Diff(held, names, byValue); start > 0 && len(held) == h.limit && d != "" {
					t.Fatalf("start %d: other names (-before +now):\n%s", start, d)
				}
				if b.tenants[tenant] != nil && int(b.tenants[tenant].names.Load()) != len(names) {
					t.Fatalf("the tenant counts %d names, want %d", b.tenants[tenant].names.Load(), len(names))
				}
			}
			h.held = got
			for o := range h.held { // not each name has an address when the process ends
				for p := range h.held[o] {
					if rapid.IntRange(0, 9).Draw(t, "unanswered") == 0 {
						delete(h.held[o], p)
					}
				}
			}
		}
	})
}
