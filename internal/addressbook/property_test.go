// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

var (
	someNames = []string{"a.example.com", "b.example.net"}
	sources   = []Source{"10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53"}
	someViews = []View{"", "", "10.0.0.1:53"}
	someOwner = []Owner{{"K", "ns1", "p"}, {"K", "ns2", "p"}, {"K", "", "p"}}
)

// machine drives a Book and the model through the same steps.
type machine struct {
	book     *Book
	follower *follower
	model    *model
	now      time.Time
	changed  map[Owner]int
}

func newMachine(limit int) *machine {
	// The model knows nothing of rotations, see TestRotation: no retention adapts here.
	o := Options{Retention: 5 * time.Minute, MaxRetention: 5 * time.Minute, MaxStale: time.Hour, MaxAddressesPerName: limit}
	m := &machine{
		book: New(o),
		model: &model{
			options: o,
			owners:  map[Owner]*modelOwner{},
			history: map[Subject][]event{},
			limited: map[Subject][]modelMark{},
			served:  map[View]int{},
			heard:   map[View]bool{},
			asked:   [2]bool{true, true},
			unrest:  map[Subject]*modelUnrest{},
		},
		now:     start,
		changed: map[Owner]int{},
	}
	m.follower = m.book.newFollower()
	m.book.OnChange(func(o Owner, _ Urgency) { m.changed[o]++ })
	return m
}

func TestBookAgainstModel(t *testing.T) {
	for _, limit := range []int{1000, 4, 1} {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine(limit)
				m.wantAll()
				t.Repeat(map[string]func(*rapid.T){
					"want":       m.want,
					"forget":     m.forget,
					"record":     m.record,
					"also":       m.record, // twice as often
					"again":      m.again,
					"again soon": m.again,
					"fail":       m.fail,
					"retire":     m.retire,
					"serve":      m.serve,
					"families":   m.families,
					"step":       m.step,
					"":           m.check,
				})
			})
		})
	}
}

// wantAll lets two owners start with all names, so that few steps go by without effect.
func (m *machine) wantAll() {
	var ps []fqdn.Pattern
	for _, s := range someNames {
		ps = append(ps, pattern(s))
	}
	for i, retention := range []*time.Duration{nil, new(30 * time.Second)} {
		wants := Wants{Patterns: ps, View: someViews[i+1], Retention: retention}
		m.book.Want(someOwner[i], wants, m.now)
		m.model.want(someOwner[i], wants, m.now)
	}
}

func (m *machine) want(t *rapid.T) {
	patterns := rapid.SliceOfN(rapid.SampledFrom(append(slices.Clone(someNames), "*.example.com")), 0, 4).Draw(t, "patterns")
	var ps []fqdn.Pattern
	for _, s := range patterns {
		ps = append(ps, pattern(s))
	}
	o := rapid.SampledFrom(someOwner).Draw(t, "owner")
	retention := rapid.SampledFrom([]*time.Duration{
		nil, new(time.Duration(0)), new(30 * time.Second), new(2 * time.Hour),
	}).Draw(t, "retention")
	wants := Wants{Patterns: ps, View: rapid.SampledFrom(someViews).Draw(t, "view"), Retention: retention}
	m.silently(t, func() {
		m.book.Want(o, wants, m.now)
		m.model.want(o, wants, m.now)
	})
}

func (m *machine) forget(t *rapid.T) {
	o := rapid.SampledFrom(someOwner).Draw(t, "owner")
	m.silently(t, func() {
		m.book.Forget(o)
		m.model.forget(o)
	})
}

func (m *machine) record(t *rapid.T) {
	k := drawKey(t)
	a := Answer{
		Outcome: rapid.SampledFrom([]Outcome{Good, Good, Good, Good, NoData, NXDomain}).Draw(t, "outcome"),
		TTL:     rapid.SampledFrom([]time.Duration{-time.Second, 0, 5 * time.Second, time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "ttl"),
	}
	if a.Outcome == Good {
		form := "192.0.2.%d"
		if k.Family == IPv6 {
			form = "2001:db8::%d"
		}
		for _, i := range rapid.SliceOfN(rapid.IntRange(1, 6), 0, 6).Draw(t, "addrs") {
			a.Addrs = append(a.Addrs, netip.MustParseAddr(fmt.Sprintf(form, i)))
		}
	}
	m.recordAnswer(t, k, a)
}

// again repeats the last good answer of a question, from any source.
func (m *machine) again(t *rapid.T) {
	k := drawKey(t)
	last, _ := m.model.word(k)
	if last.what != "good" {
		return
	}
	k.Source = rapid.SampledFrom([]Source{k.Source, k.Source, sources[0]}).Draw(t, "by")
	m.recordAnswer(t, k, Answer{Outcome: last.outcome, Addrs: last.addrs, TTL: last.expires.Sub(last.at)})
}

func (m *machine) recordAnswer(t *rapid.T, k Key, a Answer) {
	m.loudly(t, func() {
		m.book.Record(k, a, m.now)
		m.model.record(k, a, m.now)
	})
}

func (m *machine) fail(t *rapid.T) {
	k := drawKey(t)
	reason := rapid.SampledFrom([]string{"SERVFAIL", "timeout"}).Draw(t, "reason")
	m.loudly(t, func() {
		m.book.Fail(k, reason, m.now)
		m.model.fail(k, reason, m.now)
	})
}

func (m *machine) retire(t *rapid.T) {
	s := rapid.SampledFrom(sources).Draw(t, "source")
	v := rapid.SampledFrom(someViews).Draw(t, "view")
	m.loudly(t, func() {
		m.book.Retire(v, s, m.now)
		m.model.retire(v, s, m.now)
	})
}

func (m *machine) serve(t *rapid.T) {
	v := rapid.SampledFrom(someViews).Draw(t, "view")
	sources := rapid.IntRange(0, 2).Draw(t, "sources")
	m.loudly(t, func() {
		m.book.Serve(v, sources)
		m.model.serve(v, sources)
	})
}

func (m *machine) families(t *rapid.T) {
	fs := rapid.SampledFrom([][]Family{{IPv4, IPv6}, {IPv4, IPv6}, {IPv4}, {IPv6, IPv6}, {}}).Draw(t, "families")
	asked := [2]bool{slices.Contains(fs, IPv4), slices.Contains(fs, IPv6)}
	if len(fs) == 0 {
		asked = m.model.asked
	}
	clear(m.changed)
	want := map[Owner]int{}
	for o := range m.model.owners {
		if asked != m.model.asked {
			want[o] = 1
		}
	}
	m.book.SetFamilies(fs, m.now)
	m.model.setFamilies(asked, m.now)
	if d := cmp.Diff(want, m.changed); d != "" {
		t.Fatalf("notified (-want +got):\n%s", d)
	}
}

func (m *machine) step(t *rapid.T) {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
		time.Nanosecond, time.Second, 5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour,
	}).Draw(t, "step"))
}

// silently does an operation that notifies nobody.
func (m *machine) silently(t *rapid.T, do func()) {
	clear(m.changed)
	do()
	if len(m.changed) > 0 {
		t.Fatalf("notified %v", m.changed)
	}
}

// loudly does an operation that notifies just those owners of whom something changed, each once.
func (m *machine) loudly(t *rapid.T, do func()) {
	before := map[Owner]seen{}
	for _, o := range someOwner {
		before[o] = m.seen(o)
	}
	clear(m.changed)
	do()
	want := map[Owner]int{}
	for _, o := range someOwner {
		if after := m.seen(o); after.differs(before[o]) {
			want[o] = 1
		}
	}
	if d := cmp.Diff(want, m.changed); d != "" {
		t.Fatalf("notified (-want +got):\n%s", d)
	}
}

// seen is what an owner sees, as far as it is news when it changes.
type seen struct {
	entries   []Entry // by the model: the addresses that are not past their Until, and nothing of them but that they are there
	rotations []Rotation
	nexts     []instant // when each entry changes by itself
	service   [2]bool
}

func (m *machine) seen(o Owner) seen {
	s := seen{service: m.servedAndHeard(o)}
	s.entries = unlingered(Snapshot{Entries: m.model.entries(o, m.now)}, m.now)
	for i, e := range s.entries {
		for j, a := range e.Addresses {
			s.entries[i].Addresses[j] = Address{Addr: a.Addr}
		}
	}
	if w := m.book.owners[o]; w != nil {
		l := w.list.Load()
		for _, x := range l.wants {
			var e Entry
			s.nexts = append(s.nexts, m.book.fill(&e, x, l.term, m.book.epoch.instant(m.now)))
			s.rotations = append(s.rotations, e.Rotation)
		}
	}
	return s
}

func (s seen) differs(before seen) bool {
	for i, next := range s.nexts {
		if next < before.nexts[i] {
			return true
		}
	}
	return !sameEntries(before.entries, s.entries) || before.service != s.service || !slices.Equal(before.rotations, s.rotations)
}

// servedAndHeard is what the model knows of an owner's view: whether sources are asked, and whether one answered.
func (m *machine) servedAndHeard(o Owner) [2]bool {
	w := m.model.owners[o]
	if w == nil {
		return [2]bool{}
	}
	return [2]bool{m.model.served[w.view] > 0, m.model.heard[w.view]}
}

func (m *machine) check(t *rapid.T) {
	stats := Stats{Owners: len(m.model.owners), Names: len(m.model.history), Wildcards: m.model.wildcards(), Evicted: m.model.evicted}
	for _, o := range someOwner {
		got := m.book.Snapshot(o, m.now)
		if want := m.model.entries(o, m.now); !sameEntries(want, got.Entries) {
			t.Fatalf("snapshot of %v (-want +got):\n%s", o, cmp.Diff(want, got.Entries, byValue))
		}
		if service := [2]bool{got.Served > 0, got.Heard}; service != m.servedAndHeard(o) {
			t.Fatalf("of %v is served and heard %v, want %v", o, service, m.servedAndHeard(o))
		}
		m.checkNext(t, o, got)
		stats.Patterns += len(got.Entries)
	}
	subjects := slices.SortedFunc(maps.Keys(m.model.history), Subject.Compare)
	for _, n := range subjects {
		distinct := map[netip.Addr]bool{}
		for _, f := range m.model.facts(n) {
			distinct[f.addr] = true
		}
		if len(distinct) > m.model.options.MaxAddressesPerName {
			t.Fatalf("%d addresses", len(distinct))
		}
		stats.Addresses += len(distinct)
		stats.Questions += len(m.model.keys(n))
	}
	got := m.book.Stats()
	got.Captures = 0
	if d := cmp.Diff(stats, got); d != "" {
		t.Fatalf("stats (-want +got):\n%s", d)
	}
	if wanted := m.follower.wanted(); !slices.Equal(wanted, subjects) {
		t.Fatalf("wanted %v, want %v", wanted, subjects)
	}
}

// checkNext checks that nothing but lingering addresses changes before Next, and that something does then.
func (m *machine) checkNext(t *rapid.T, o Owner, s Snapshot) {
	at := func(now time.Time) []Entry { return unlingered(m.book.Snapshot(o, now), now) }
	same := func(a, b []Entry) bool { return sameEntries(a, b) && slices.Equal(rotations(a), rotations(b)) }
	present := unlingered(s, m.now)
	justBefore := s.Next.Add(-1)
	if s.Next.IsZero() {
		justBefore = m.now.Add(1000 * time.Hour)
	} else if !s.Next.After(m.now) || same(present, at(s.Next)) {
		t.Fatalf("nothing changes at Next, %v; now %v", s.Next, m.now)
	}
	if then := at(justBefore); !same(present, then) {
		t.Fatalf("before Next, %v (-now +then):\n%s", s.Next, cmp.Diff(present, then, byValue))
	}
}

func rotations(entries []Entry) []Rotation {
	var rs []Rotation
	for _, e := range entries {
		rs = append(rs, e.Rotation)
	}
	return rs
}

// sameEntries does what cmp.Equal does, much faster, but for Rotation.
func sameEntries(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(x, y Entry) bool {
		return slices.Equal(x.Addresses, y.Addresses) &&
			x.Pattern == y.Pattern && x.State == y.State && x.Message == y.Message && x.Limit == y.Limit &&
			x.Tried == y.Tried && x.Answered.Equal(y.Answered) && x.Wanted.Equal(y.Wanted) && x.Retention == y.Retention
	})
}

// unlingered leaves out the addresses whose time has passed.
func unlingered(s Snapshot, now time.Time) []Entry {
	entries := slices.Clone(s.Entries)
	for i := range entries {
		entries[i].Addresses = slices.DeleteFunc(slices.Clone(entries[i].Addresses), func(a Address) bool {
			return !a.Until.IsZero() && !a.Until.After(now)
		})
	}
	return entries
}

func drawKey(t *rapid.T) Key {
	return Key{
		View:   rapid.SampledFrom(someViews).Draw(t, "view"),
		Name:   host(rapid.SampledFrom([]string{someNames[0], someNames[0], someNames[1]}).Draw(t, "name")),
		Family: rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family"),
		Source: rapid.SampledFrom(sources).Draw(t, "source"),
	}
}
