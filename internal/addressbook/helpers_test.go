// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// byValue lets cmp compare values that have an == of their own.
var byValue = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b fqdn.Pattern) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

func host(s string) fqdn.Name {
	n, err := fqdn.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func pattern(s string) fqdn.Pattern {
	p, err := fqdn.ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

// world is a book with one owner, web, who wants www.example.com, and a clock.
type world struct {
	*Book
	t        *testing.T
	now      time.Time
	notified []Owner
}

var (
	web = Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "web"}
	www = "www.example.com"
)

const (
	upstream Source = "10.96.0.10:53"
	second   Source = "10.96.0.11:53"
)

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{Book: New(o), t: t, now: start}
	w.OnChange(func(o Owner, _ Urgency) { w.notified = append(w.notified, o) })
	w.wants(web, nil, www)
	return w
}

func (w *world) wants(o Owner, retention *time.Duration, names ...string) {
	ps := make([]fqdn.Pattern, len(names))
	for i, s := range names {
		ps[i] = pattern(s)
	}
	w.Want(o, Wants{Patterns: ps, Retention: retention}, w.now)
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// passTurn passes d, after which state and message change although nobody says anything; until then they are these.
func (w *world) passTurn(d time.Duration, state State, message string) {
	w.t.Helper()
	if got := w.Snapshot(web, w.now).Next; !got.Equal(w.now.Add(d)) {
		w.t.Errorf("the next change is in %v, want %v", got.Sub(w.now), d)
	}
	w.pass(d - 1)
	w.expectState(state, message)
	w.pass(1)
}

// answer records a good answer to the question of the family of its addresses.
func (w *world) answer(s Source, ttl time.Duration, addrs ...string) {
	a := Answer{TTL: ttl}
	for _, addr := range addrs {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(addr))
	}
	w.Record(Key{Name: host(www), Family: familyOf(a.Addrs[0]), Source: s}, a, w.now)
}

func (w *world) absent(s Source, f Family, o Outcome) {
	w.Record(Key{Name: host(www), Family: f, Source: s}, Answer{Outcome: o, TTL: time.Minute}, w.now)
}

func (w *world) fails(s Source, f Family, reason string) {
	w.Fail(Key{Name: host(www), Family: f, Source: s}, reason, w.now)
}

// entry returns the first entry of web.
func (w *world) entry() PatternState {
	w.t.Helper()
	s := w.Snapshot(web, w.now)
	if len(s.Patterns) == 0 {
		w.t.Fatal("no entries")
	}
	return s.Patterns[0]
}

// expect compares the addresses of web's first name: "192.0.2.1" is current and stays, "192.0.2.1 current 5m0s" is
// current and goes in five minutes, "192.0.2.1 5m0s" is retained until then.
func (w *world) expect(want ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.entry().Addresses {
		s := a.Addr.String()
		if a.Current && !a.Until.IsZero() {
			s += " current"
		}
		if !a.Until.IsZero() {
			s += " " + a.Until.Sub(w.now).String()
		}
		got = append(got, s)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		w.t.Errorf("addresses (-want +got):\n%s", d)
	}
}

func (w *world) expectState(state State, message string) {
	w.t.Helper()
	e := w.entry()
	if d := cmp.Diff([]string{string(state), message}, []string{string(e.State), e.Message}); d != "" {
		w.t.Errorf("state (-want +got):\n%s", d)
	}
}

// expectNotified compares the owners notified since the last call.
func (w *world) expectNotified(want ...Owner) {
	w.t.Helper()
	if d := cmp.Diff(want, w.notified, cmpopts.EquateEmpty()); d != "" {
		w.t.Errorf("notified (-want +got):\n%s", d)
	}
	w.notified = nil
}
