// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// follower is a producer that keeps up with what is wanted.
type follower struct {
	*Subscription
	known map[Subject][]Tenant
}

func (b *Book) newFollower() *follower {
	return &follower{Subscription: b.Subscribe(), known: map[Subject][]Tenant{}}
}

// follow takes what changed, and returns it.
func (f *follower) follow() []WantedChange {
	changes := f.Take()
	for _, c := range changes {
		f.known[c.Subject] = c.Tenants
		if len(c.Tenants) == 0 {
			delete(f.known, c.Subject)
		}
	}
	return changes
}

// wanted returns the subjects that are wanted, sorted.
func (f *follower) wanted() []Subject {
	f.follow()
	return slices.SortedFunc(maps.Keys(f.known), Subject.Compare)
}

// signalled tells whether there was something to look for, and looks.
func (s *Subscription) signalled() bool {
	select {
	case <-s.changed:
		return true
	default:
		return false
	}
}

func TestSubscription_TellsChangesOfTheSetOnly(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.newFollower()
	if got := fmt.Sprint(f.wanted()); got != "[www.example.com]" || !f.signalled() {
		t.Errorf("at first %s", got)
	}
	other := Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "other"}
	w.wants(other, nil, www, "*.example.com")
	w.wants(web, nil, www, "*.example.com")
	w.Forget(other)
	w.answer(upstream, 0, "192.0.2.1")
	if f.signalled() {
		t.Error("signal without a change")
	}
	w.wants(web, nil, www, "another.example.com")
	if !f.signalled() {
		t.Error("no signal for a new name")
	}
	if got := fmt.Sprint(f.wanted()); got != "[another.example.com www.example.com]" {
		t.Errorf("wanted %v", got)
	}
	w.Forget(web)
	if !f.signalled() {
		t.Error("no signal for a name that went")
	}
	if got := f.wanted(); len(got) > 0 {
		t.Errorf("wanted %v", got)
	}
}

// A name that loses its last owner and gets another before the resolver looks must be asked again at once: what was
// known of it went with the last owner.
func TestSubscription_ShowsThatANameWentAndCameBack(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.newFollower()
	w.wants(web, nil, www, "api.example.com")
	f.follow()
	w.wants(web, nil, "api.example.com")
	w.wants(Owner{Namespace: "other"}, nil, www)
	want := []WantedChange{{Subject: Subject{Name: host(www)}, Tenants: []Tenant{"other"}, Anew: true}}
	if d := cmp.Diff(want, f.follow(), byValue, cmp.Comparer(func(a, b Subject) bool { return a == b })); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if more := f.follow(); len(more) > 0 {
		t.Errorf("nothing changed since, yet %v", more)
	}
}

// The tenants that want a subject are told, and only when they change: one of two owners of a namespace is no change.
func TestSubscription_TellsTheTenants(t *testing.T) {
	w := newWorld(t, Options{})
	f := w.newFollower()
	f.follow()
	expect := func(want ...Tenant) {
		t.Helper()
		got := f.known[Subject{Name: host(www)}]
		if changes := f.follow(); len(changes) > 0 {
			got = changes[0].Tenants
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("tenants (-want +got):\n%s", d)
		}
	}
	expect("shop")
	for i, name := range []string{"a", "b"} {
		w.wants(Owner{Namespace: "apps", Name: name}, nil, www)
		if got := len(f.follow()); got != 1-i {
			t.Errorf("owner %s: %d changes", name, got)
		}
	}
	w.wants(Owner{Kind: "Cluster"}, nil, www)
	expect("", "apps", "shop")
	w.Forget(Owner{Namespace: "apps", Name: "a"})
	expect("", "apps", "shop")
	w.Forget(Owner{Namespace: "apps", Name: "b"})
	expect("", "shop")
	for i := range 2 * maxTenants {
		w.wants(Owner{Namespace: fmt.Sprint("ns", i)}, nil, www)
	}
	f.follow()
	if got := f.known[Subject{Name: host(www)}]; len(got) != maxTenants || !slices.IsSorted(got) {
		t.Errorf("%d tenants", len(got))
	}
}

// Each subscriber has all, whatever another one took; one that is closed is told nothing.
func TestSubscription_EachOnItsOwn(t *testing.T) {
	w := newWorld(t, Options{})
	one, other := w.newFollower(), w.newFollower()
	one.follow()
	if got := other.wanted(); len(got) != 1 {
		t.Errorf("wanted %v", got)
	}
	other.signalled()
	other.Close()
	w.wants(web, nil, "another.example.com")
	if got := fmt.Sprint(one.wanted()); got != "[another.example.com]" {
		t.Errorf("wanted %v", got)
	}
	if other.signalled() {
		t.Error("told after Close")
	}
}
