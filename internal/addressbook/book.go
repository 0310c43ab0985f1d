// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	defaultRetention    = 5 * time.Minute
	defaultMaxRetention = time.Hour
	defaultMaxStale     = 24 * time.Hour
	defaultMaxAddresses = 1000
)

// Book is safe for concurrent use. Times given to it must come from one clock; that they go back a little is no harm.
//
// One mutex guards all of it. A call holds it for about a microsecond at a few addresses, and for one or two milliseconds at
// 1,000 that rotate (see the benchmarks), so 2,000 answers and 10,000 snapshots a second leave it idle nearly always.
type Book struct {
	options Options

	mu            sync.Mutex
	asked         [families]bool
	epoch         epoch
	changed       func(Owner, Urgency)
	owners        map[Owner]*owner
	names         map[Subject]*name
	evicted       uint64
	wanted        wantedNames
	subscriptions []*Subscription
	// services has the zero View from its first Serve or owner on, and the others that somebody names or serves.
	services map[View]*service

	// Scratch space of the call that holds mu.
	answer        []netip.Addr
	before, after []union
}

// New returns an empty Book.
func New(o Options) *Book {
	if len(o.Families) == 0 {
		o.Families = []Family{IPv4, IPv6}
	}
	if o.MaxAddressesPerName <= 0 {
		o.MaxAddressesPerName = defaultMaxAddresses
	}
	o.Retention = orDefault(o.Retention, defaultRetention)
	o.MaxRetention = max(orDefault(o.MaxRetention, defaultMaxRetention), o.Retention)
	o.MaxStale = orDefault(o.MaxStale, defaultMaxStale)
	b := &Book{
		options: o,
		owners:  map[Owner]*owner{},
		names:   map[Subject]*name{},
		wanted:  wantedNames{signal: make(chan struct{})},

		asked:    asking(o.Families),
		services: map[View]*service{},
	}
	return b
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(d, 0)
}

// OnChange sets the function that is called, without a lock held, with each owner whose Snapshot changed by a Record,
// Fail, Retire, Serve or SetFamilies, that is: an address, a state, a message, Answered, Tried, Limited, Rotation, Retention or an Until came,
// went or moved, Heard became true, or Served became zero or stopped being it. It is called once an owner and call, by the goroutine of the producer, after the change can be read; it must not block.
// Set it once, before the first Want.
func (b *Book) OnChange(changed func(Owner, Urgency)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed = changed
}

// Record takes a good answer. An answer for a name that nobody wants is dropped. One from a retired source brings the
// source back, for this question.
func (b *Book) Record(k Key, a Answer, now time.Time) {
	b.notify(b.record(k, a, now))
}

func (b *Book) record(k Key, a Answer, now time.Time) []Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, at := b.find(k, now)
	if n == nil {
		return nil
	}
	addrs := b.read(k.Family, a)
	outcome := a.Outcome
	if outcome == Good && len(addrs) == 0 {
		outcome = NoData
	}
	expires, capped := at.plus(min(max(a.TTL, 0), b.options.MaxStale)), a.TTL > b.options.MaxStale
	if n.repeats(k, outcome, addrs, capped, at, expires) {
		return nil
	}
	changed := b.change(n, at, func() {
		b.take(n, k, outcome, addrs, at, expires)
		n.cap(k, capped, at)
	})
	if first := b.hear(k.View); len(first) > 0 {
		return first // the owners of the name among them
	}
	return changed
}

// Fail takes a failure (reason: "SERVFAIL", "timeout", ...); it removes nothing. The reason stands in messages, so it
// must be one of a few. A failure of a retired source is noted, and the source stays retired.
func (b *Book) Fail(k Key, reason string, now time.Time) {
	b.notify(b.fail(k, reason, now))
}

func (b *Book) fail(k Key, reason string, now time.Time) []Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, at := b.find(k, now)
	if n == nil {
		return nil
	}
	if q := n.question(k); q != nil && q.failed && q.reason == reason {
		q.trouble.hears(at)
		return nil
	}
	return b.change(n, at, func() { n.fail(k, reason, at) })
}

// Retire takes a source out that is asked no more for a view: its addresses age by retention once another source has given a
// good answer to the same question (the same name and family); until then MaxStale bounds them. A name of which all
// sources are retired keeps its state. The producer sees to it that nothing that it asked the source before arrives
// after: that would count as the source being back.
func (b *Book) Retire(v View, s Source, now time.Time) {
	b.notify(b.retire(v, s, now))
}

func (b *Book) retire(v View, s Source, now time.Time) []Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.epoch.instant(now)
	var changed []Owner
	for about, n := range b.names {
		if about.View == v && n.inService(s) {
			b.prune(n, at)
			changed = append(changed, b.change(n, at, func() { n.retire(s, at) })...)
		}
	}
	return distinct(changed)
}

func distinct(owners []Owner) []Owner {
	seen := make(map[Owner]bool, len(owners))
	return slices.DeleteFunc(owners, func(o Owner) bool {
		again := seen[o]
		seen[o] = true
		return again
	})
}

// find returns the name of k as it stands at now; nil if nobody wants it, or not this family.
func (b *Book) find(k Key, now time.Time) (*name, instant) {
	at := b.epoch.instant(now)
	n := b.names[k.Subject()]
	if n == nil || k.Family >= families || !b.asked[k.Family] {
		return nil, at
	}
	b.prune(n, at)
	return n, at
}

// read returns the addresses of an answer that count, sorted and distinct, in scratch space.
func (b *Book) read(f Family, a Answer) []netip.Addr {
	b.answer = b.answer[:0]
	if a.Outcome != Good {
		return nil
	}
	for _, addr := range a.Addrs {
		if addr.IsValid() && familyOf(addr) == f {
			b.answer = append(b.answer, addr)
		}
	}
	slices.SortFunc(b.answer, netip.Addr.Compare)
	b.answer = slices.Compact(b.answer)
	return b.answer
}

func familyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// notify calls OnChange's function, if there is one. The lock is not held: where there is an owner, the function was set
// before. Without one it may be set at this very moment, so it must not be read.
func (b *Book) notify(owners []Owner) {
	if len(owners) == 0 || b.changed == nil {
		return
	}
	for _, o := range owners {
		b.changed(o, Added)
	}
}
