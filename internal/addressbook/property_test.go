// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
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
	someOwner = []Owner{{"K", "ns1", "p"}, {"K", "ns2", "p"}, {"K", "", "p"}, {"K", "ns1", "q"}}
)

// machine drives a Book and the model through the same steps.
type machine struct {
	book       *Book
	follower   *follower
	model      *model
	now        time.Time
	changed    map[Owner]int
	ticket     Ticket         // the last one
	owed       map[Owner]bool // who has not applied it
	firstNamed map[Owner]bool // whom it names for what came before
	revisions  map[Owner]Revision
	news       map[Owner]bool // who was told of something by the last step
}

func newMachine(perName, names, addresses, listings int) *machine {
	// The model knows nothing of rotations, see TestRotation: no retention adapts here.
	o := Options{Retention: 5 * time.Minute, MaxRetention: 5 * time.Minute, MaxStale: time.Hour, MaxAddressesPerName: perName,
		MaxNamesPerTenant: names, MaxAddressesPerTenant: addresses, MaxListingsPerTenant: listings}
	m := &machine{
		book: New(o),
		model: &model{
			options:  o,
			owners:   map[Owner]*modelOwner{},
			history:  map[Subject][]event{},
			limited:  map[Subject][]modelMark{},
			touched:  map[Subject]time.Time{},
			served:   map[View]int{},
			heard:    map[View]bool{},
			asked:    [2]bool{true, true},
			unrest:   map[Subject]*modelUnrest{},
			admitted: map[Owner]int{}, lacks: map[modelWait]bool{}, sick: map[Owner]bool{}, named: map[modelWait]bool{},
		},
		now:        start,
		changed:    map[Owner]int{},
		revisions:  map[Owner]Revision{},
		news:       map[Owner]bool{},
		firstNamed: map[Owner]bool{},
	}
	m.follower = m.book.newFollower()
	m.book.OnChange(func(o Owner, _ Urgency) { m.changed[o]++ })
	return m
}

func TestBookAgainstModel(t *testing.T) {
	for _, limit := range [][4]int{{1000, 100, 1000, 1000}, {4, 2, 1000, 1000}, {1, 100, 3, 4}, {1000, 1, 5, 1000}, {6, 2, 8, 3}} {
		t.Run(fmt.Sprintf("%d addresses a name; %d names, %d addresses and %d listings a tenant", limit[0], limit[1], limit[2], limit[3]), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newMachine(limit[0], limit[1], limit[2], limit[3])
				m.book.cachedUnion = rapid.SampledFrom([]int{2, cachedUnion}).Draw(t, "cached from")
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
					"observe":    m.observe,
					"apply":      m.apply,
					"health":     m.health,
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
	m.quietly(t, func() {
		m.book.Want(o, wants, m.now)
		m.model.want(o, wants, m.now)
	})
}

func (m *machine) forget(t *rapid.T) {
	o := rapid.SampledFrom(someOwner).Draw(t, "owner")
	m.quietly(t, func() {
		m.book.Forget(o)
		m.model.forget(o)
	})
	delete(m.revisions, o)
	delete(m.owed, o)
}

func (m *machine) record(t *rapid.T) {
	k := drawKey(t)
	a := Answer{
		Outcome: rapid.SampledFrom([]Outcome{Good, Good, Good, Good, NoData, NXDomain}).Draw(t, "outcome"),
		TTL:     rapid.SampledFrom([]time.Duration{-time.Second, 0, 5 * time.Second, time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "ttl"),
	}
	if a.Outcome == Good {
		a.Addrs = drawAddrs(t, k.Family)
	}
	m.recordAnswer(t, k, a)
}

func drawAddrs(t *rapid.T, f Family) (addrs []netip.Addr) {
	form := "192.0.2.%d"
	if f == IPv6 {
		form = "2001:db8::%d"
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(1, 6), 0, 6).Draw(t, "addrs") {
		addrs = append(addrs, netip.MustParseAddr(fmt.Sprintf(form, i)))
	}
	return addrs
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

// quietly does an operation that notifies nobody but those for whom a pattern is let in that waited.
func (m *machine) quietly(t *rapid.T, do func()) {
	clear(m.changed)
	do()
	if d := cmp.Diff(m.model.admitted, m.changed); d != "" {
		t.Fatalf("notified (-want +got):\n%s", d)
	}
}

// observe is an answer that a pod was told.
func (m *machine) observe(t *rapid.T) {
	n := host(rapid.SampledFrom([]string{someNames[0], someNames[0], someNames[1], "b.example.com"}).Draw(t, "name"))
	f := rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family")
	addrs := drawAddrs(t, f)
	ttl := rapid.SampledFrom([]time.Duration{-time.Second, 0, time.Minute, time.Hour, 3 * time.Hour}).Draw(t, "ttl")
	counts := m.model.asked[f] && len(addrs) > 0
	for _, x := range m.model.owed(n) {
		m.firstNamed[x.owner] = m.firstNamed[x.owner] || counts && !m.model.named[x]
	}
	var ticket Ticket
	m.loudly(t, func() {
		ticket = m.book.Observe(n, f, addrs, ttl, m.now)
		m.model.observe(n, f, addrs, ttl, m.now)
	})
	clear(m.firstNamed)
	want, got := map[Owner]bool{}, map[Owner]bool{}
	for _, x := range m.model.owed(n) {
		if counts {
			want[x.owner], m.model.named[x] = true, true
		}
	}
	for _, d := range ticket.lacking {
		got[d.owner.Owner] = true
	}
	if d := cmp.Diff(want, got); d != "" || ticket.Owners() != len(got) {
		t.Fatalf("the ticket of %d owners (-want +got):\n%s", ticket.Owners(), d)
	}
	if m.book.Listens(n) != (len(m.model.matching(n)) > 0) {
		t.Fatalf("listens for %s: %t", n, m.book.Listens(n))
	}
	m.ticket, m.owed = ticket, want
}

// apply lets an owner apply what it sees; the last ticket is over when all in it have, or cannot.
func (m *machine) apply(t *rapid.T) {
	o := rapid.SampledFrom(someOwner).Draw(t, "owner")
	m.book.Applied(o, m.book.Snapshot(o, m.now).Revision)
	maps.DeleteFunc(m.model.lacks, func(x modelWait, _ bool) bool { return x.owner == o })
	delete(m.owed, o)
}

func (m *machine) health(t *rapid.T) {
	o, healthy := rapid.SampledFrom(someOwner).Draw(t, "owner"), rapid.Bool().Draw(t, "healthy")
	m.book.SetHealthy(o, healthy)
	if m.model.owners[o] != nil {
		m.model.sick[o] = !healthy
	}
}

// checkTicket checks that the last ticket is held as long as a healthy owner in it has not applied it.
func (m *machine) checkTicket(t *rapid.T) {
	held := false
	for o := range m.owed {
		held = held || !m.model.sick[o]
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := m.book.Await(ctx, m.ticket) != nil; got != held {
		t.Fatalf("the last ticket is held %t, want %t", got, held)
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
		after := m.seen(o)
		if m.news[o] = after.differs(before[o]); m.news[o] || m.firstNamed[o] {
			want[o] = 1
		}
		m.noteGains(o, before[o], after)
	}
	if d := cmp.Diff(want, m.changed); d != "" {
		t.Fatalf("notified (-want +got):\n%s", d)
	}
}

// noteGains takes note in the model of which patterns gained addresses.
func (m *machine) noteGains(o Owner, before, after seen) {
	for i, e := range after.entries {
		for _, a := range e.Addresses {
			if !slices.Contains(before.entries[i].Addresses, a) {
				m.model.gains(modelWait{o, e.Pattern}, true)
			}
		}
	}
}

// seen is what an owner sees, as far as it is news when it changes.
type seen struct {
	entries   []PatternState // by the model: the addresses that are not past their Until, and nothing of them but that they are there
	rotations []Rotation
	nexts     []instant // when each entry changes by itself
	service   [2]bool
}

func (m *machine) seen(o Owner) seen {
	s := seen{service: m.servedAndHeard(o)}
	s.entries = unlingered(Snapshot{Patterns: m.model.entries(o, m.now)}, m.now)
	for i, e := range s.entries {
		for j, a := range e.Addresses {
			s.entries[i].Addresses[j] = Address{Addr: a.Addr}
		}
	}
	if w := m.book.owners[o]; w != nil {
		l := w.list.Load()
		for _, x := range l.wants {
			var e PatternState
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
	stats := Stats{Owners: len(m.model.owners), Evicted: m.model.evicted}
	for _, o := range someOwner {
		got := m.book.Snapshot(o, m.now)
		if want := m.model.entries(o, m.now); !sameEntries(want, got.Patterns) {
			t.Fatalf("snapshot of %v (-want +got):\n%s", o, cmp.Diff(want, got.Patterns, byValue))
		}
		if service := [2]bool{got.Served > 0, got.Heard}; service != m.servedAndHeard(o) {
			t.Fatalf("of %v is served and heard %v, want %v", o, service, m.servedAndHeard(o))
		}
		m.checkNext(t, o, got)
		if grew := got.Revision > m.revisions[o]; !grew && m.news[o] || got.Revision < m.revisions[o] {
			t.Fatalf("the revision of %v went from %d to %d", o, m.revisions[o], got.Revision)
		}
		m.revisions[o] = got.Revision
		stats.Patterns += len(got.Patterns)
	}
	clear(m.news)
	m.checkTicket(t)
	all := int(m.book.counts.listings.Load())
	for _, share := range m.book.tenants {
		listed, addresses := m.model.listedBy(share.Tenant), m.model.charges(share.Tenant)
		listings := m.model.listings(share.Tenant)
		got, want := [3]int64{share.names.Load(), share.addresses.Load(), share.listings.Load()}, [3]int64{int64(len(listed)), int64(addresses), int64(listings)}
		if got != want {
			t.Fatalf("tenant %q has %v names, addresses and listings, want %v", share.Tenant, got, want)
		}
		all -= listings
	}
	if all != 0 {
		t.Fatalf("the process counts %d listings more than its tenants", all)
	}
	if !reflect.DeepEqual(m.book.common, newRare()) {
		t.Fatalf("what common names share was changed: %+v", m.book.common)
	}
	var subjects []Subject
	for n := range m.model.history {
		distinct := len(m.model.distinct(n))
		if distinct > m.model.options.MaxAddressesPerName {
			t.Fatalf("%d addresses", distinct)
		}
		stats.Addresses += distinct
		stats.Questions += len(m.model.keys(n))
		if n.Name == (fqdn.Name{}) {
			stats.Wildcards++
		} else {
			stats.Names++
			subjects = append(subjects, n)
		}
	}
	slices.SortFunc(subjects, Subject.Compare)
	got := m.book.Stats()
	got.Captures, got.Limited = 0, [limits]int{}
	if d := cmp.Diff(stats, got); d != "" {
		t.Fatalf("stats (-want +got):\n%s", d)
	}
	if wanted := m.follower.wanted(); !slices.Equal(wanted, subjects) {
		t.Fatalf("wanted %v, want %v", wanted, subjects)
	}
}

// checkNext checks that nothing but lingering addresses changes before Next, and that something does then.
func (m *machine) checkNext(t *rapid.T, o Owner, s Snapshot) {
	at := func(now time.Time) []PatternState { return unlingered(m.book.Snapshot(o, now), now) }
	same := func(a, b []PatternState) bool { return sameEntries(a, b) && slices.Equal(rotations(a), rotations(b)) }
	present := unlingered(s, m.now)
	justBefore := s.Next.Add(-1)
	if s.Next.IsZero() {
		justBefore = m.now.Add(1000 * time.Hour)
	} else if !s.Next.After(m.now) || same(present, at(s.Next)) && !m.toldAnything() {
		t.Fatalf("nothing changes at Next, %v; now %v", s.Next, m.now)
	}
	if then := at(justBefore); !same(present, then) {
		t.Fatalf("before Next, %v (-now +then):\n%s", s.Next, cmp.Diff(present, then, byValue))
	}
}

// toldAnything tells whether something was overheard: then an address may go on for another reason, and nothing changes at Next.
func (m *machine) toldAnything() bool {
	for n := range m.model.history {
		if len(m.model.toldOf(n)) > 0 {
			return true
		}
	}
	return false
}

func rotations(entries []PatternState) []Rotation {
	var rs []Rotation
	for _, e := range entries {
		rs = append(rs, e.Rotation)
	}
	return rs
}

// sameEntries does what cmp.Equal does, much faster, but for Rotation.
func sameEntries(a, b []PatternState) bool {
	return slices.EqualFunc(a, b, func(x, y PatternState) bool {
		return slices.Equal(x.Addresses, y.Addresses) &&
			x.Pattern == y.Pattern && x.State == y.State && x.Message == y.Message && x.Limit == y.Limit &&
			x.Tried == y.Tried && x.Answered.Equal(y.Answered) && x.Wanted.Equal(y.Wanted) && x.Retention == y.Retention
	})
}

// unlingered leaves out the addresses whose time has passed.
func unlingered(s Snapshot, now time.Time) []PatternState {
	entries := slices.Clone(s.Patterns)
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
