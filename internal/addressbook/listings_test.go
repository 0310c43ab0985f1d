// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A namespace in which many policies list the same names has no end of memory by that: each listing counts. What is there stays, and
// who drops some makes room for others.
func TestMaxListingsPerTenant(t *testing.T) {
	w := newWorld(t, Options{MaxListingsPerTenant: 5})
	w.wants(in("shop", "a"), nil, "a.example.com", "b.example.com")
	w.wants(in("shop", "b"), nil, "a.example.com", "b.example.com", "c.example.com")
	w.expectLimits(in("shop", "b"), NoLimit, NoLimit, ListingsPerTenant) // and www, which web lists
	message := w.Snapshot(in("shop", "b"), w.now).Patterns[2].Message
	for _, says := range []string{"namespace shop", "more than 5 listings", "--max-names-per-namespace", "one policy may take the place of several"} {
		if !strings.Contains(message, says) {
			t.Errorf("message %q does not say %q", message, says)
		}
	}
	w.wants(in("apps", "b"), nil, "a.example.com", "b.example.com", "c.example.com") // of another tenant
	w.expectLimits(in("apps", "b"), NoLimit, NoLimit, NoLimit)
	if got := w.Stats().Limited[ListingsPerTenant]; got != 1 {
		t.Errorf("%d tenants are limited", got)
	}
	w.wants(in("shop", "a"), new(time.Hour), "a.example.com", "b.example.com") // another term keeps its places
	w.expectLimits(in("shop", "a"), NoLimit, NoLimit)
	w.notified = nil
	w.wants(in("shop", "a"), new(time.Hour), "b.example.com")
	w.expectLimits(in("shop", "b"), NoLimit, NoLimit, NoLimit)
	w.expectNotified(in("shop", "b"))
	if got := w.Stats().Limited[ListingsPerTenant]; got != 0 {
		t.Errorf("%d tenants are limited", got)
	}
}

// With the defaults a namespace of 100 policies that share 30 names, or of 400 that share 100, comes to no limit; one of 550 that
// share 500 does, and others list as much as before.
func TestMaxListingsPerTenant_Defaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it lists 300,000 names")
	}
	w := newWorld(t, Options{})
	list := func(namespace string, policies, names int) (waiting int) {
		ps, _ := manyNames(names)
		for i := range policies {
			w.Want(in(namespace, fmt.Sprint("p", i)), Wants{Patterns: ps}, w.now)
		}
		for i := range policies {
			for _, e := range w.Snapshot(in(namespace, fmt.Sprint("p", i)), w.now).Patterns {
				if e.Limit != NoLimit {
					waiting++
				}
			}
		}
		return waiting
	}
	for namespace, tt := range map[string]struct{ policies, names, waiting int }{
		"few":    {100, 30, 0},
		"many":   {400, 100, 0},
		"copies": {550, 500, 550*500 - 50_000},
	} {
		if got := list(namespace, tt.policies, tt.names); got != tt.waiting {
			t.Errorf("%s: %d listings wait, want %d", namespace, got, tt.waiting)
		}
	}
	for i := range 550 {
		w.Forget(in("copies", fmt.Sprint("p", i)))
	}
	if got := w.Stats(); got.Limited != [limits]int{} || got.Patterns != 100*30+400*100+1 {
		t.Errorf("stats %+v", got)
	}
}

func TestMaxListings_OfTheProcess(t *testing.T) {
	w := newWorld(t, Options{MaxListings: 50})
	a, b := in("a", "p"), in("b", "p")
	for i := range 45 {
		w.wants(in("a", fmt.Sprint(i)), nil, www)
	}
	w.wants(b, nil, www)
	w.expectLimits(in("a", "38"), NoLimit) // 40 in all, with that of web
	w.expectLimits(in("a", "39"), ListingsOfProcess)
	w.expectLimits(b, NoLimit) // the last fifth is for small tenants
	if got := w.Stats().Limited[ListingsOfProcess]; got != 1 {
		t.Errorf("%d tenants are limited", got)
	}
	if e := w.Snapshot(in("a", "39"), w.now).Patterns[0]; !strings.Contains(e.Message, "more than 50 listings") {
		t.Errorf("message %q", e.Message)
	}
	w.Forget(in("a", "0"))
	w.Forget(in("a", "1"))
	w.expectLimits(in("a", "39"), NoLimit)
	w.wants(a, nil, www)
	w.expectLimits(a, ListingsOfProcess)
}

// A tenant that has as many names as it may have lists one of them once more while the process is full of listings. It gets its turn when
// others leave.
func TestMaxListings_OfANameThatIsKnown(t *testing.T) {
	w := newWorld(t, Options{MaxNamesPerTenant: 2, MaxListings: 10})
	w.Forget(web)
	a, other := in("a", "p"), in("b", "p")
	w.wants(a, nil, "a.example", "b.example")
	for i := range 6 {
		w.wants(in("b", fmt.Sprint(i)), nil, "c.example")
	}
	w.wants(other, nil, "c.example", "d.example")
	more := in("a", "more")
	w.wants(more, nil, "a.example")
	w.expectLimits(more, ListingsOfProcess)
	w.notified = nil
	for i := range 6 {
		w.Forget(in("b", fmt.Sprint(i)))
	}
	w.expectLimits(more, NoLimit)
	w.expectNotified(other, other, more) // once a name
}
