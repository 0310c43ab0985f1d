// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Book is safe for concurrent use. Times given to it must come from one clock; that they go back a little is no harm.
//
// # Locks
//
// No call holds a lock that others wait for longer than 100 us, 99 times in 100 (see BenchmarkLocks), but for an answer to a name that
// has more addresses than it may, which may take twice that:
//
//	Book.mu         names, owners, views and tenants come and go: a few map operations at a time
//	name.mu         one change of one name; 480 of 960 addresses that move take 50 us with one term, 65 us if others must go for
//	                them, and half a microsecond more for each further retention that policies name for it
//	owner.changing  the whole of a Want or Forget of one owner, which only another one of it waits for
//	owner.acks      what one owner applied, and who waits for it
//
// owner.changing is taken first; of the others none is taken while another one is held. Below them are those of the index, of
// the subscribers and of each Subscription, for a map operation each. Snapshots read what the last one computed, and
// names of the zero View are found, without a lock.
type Book struct {
	options Options
	epoch   epoch
	seed    maphash.Seed
	index   *fqdn.Index[*name] // all names of the zero View, that is also all wildcards
	counts  counts
	changed atomic.Pointer[func(Owner, Urgency)]
	scratch chan *scratch
	spares  chan []union
	common  *rare  // of all names that have nothing rare; it is never changed
	watch   *watch // of tests

	cachedUnion int // the constant, and less in tests

	firstWant atomic.Int64 // an instant; never: there was none
	settled   atomic.Bool  // nothing is held any more, see held.go

	listingsShort atomic.Bool // a want waits because of MaxListings

	subscribers      subscribers
	changingFamilies sync.Mutex

	mu      sync.RWMutex
	asked   [families]bool
	owners  map[Owner]*owner
	floor   uint64 // no forgotten owner had a later revision: what is applied of it late counts for none that comes back
	tenants map[Tenant]*tenant
	views   map[View]*view      // the zero View, and others that somebody names or serves
	waiting []*tenant           // that have wants which wait for room, whose turn it is first
	unheld  map[*tenant]*unheld // nil once all is settled
}

// New returns an empty Book.
func New(o Options) *Book {
	b := &Book{
		options: o.withDefaults(),
		seed:    maphash.MakeSeed(),
		index:   fqdn.NewIndex[*name](),
		scratch: make(chan *scratch, spareScratch),
		spares:  make(chan []union, spareUnions),
		common:  newRare(),

		cachedUnion: cachedUnion,

		owners:  map[Owner]*owner{},
		tenants: map[Tenant]*tenant{},
		unheld:  map[*tenant]*unheld{},
		views:   map[View]*view{},
	}
	b.asked = asking(b.options.Families)
	b.firstWant.Store(int64(never))
	b.viewOf("")
	return b
}

// OnChange sets the function that is called, without a lock held, with each owner whose Snapshot changed by a Record,
// Fail, Retire, Observe, Serve or SetFamilies, that is: an address came or went, a state, a message, Answered, Tried, Limit,
// Rotation or Retention changed, Next came earlier, Heard became true, or Served became zero or stopped being it. That an Until moved is no
// change: an owner looks again at Next. It is called once an owner and call, by the goroutine of the producer, after the change
// can be read; it must not block. It is also called for an owner that a name which waited for room was admitted for.
// Set it once, before the first Want.
func (b *Book) OnChange(changed func(Owner, Urgency)) { b.changed.Store(&changed) }

// Record takes a good answer. An answer for a name that nobody wants is dropped. One from a retired source brings the
// source back, for this question.
func (b *Book) Record(k Key, a Answer, now time.Time) {
	n := b.find(k.View, k.Name.Pattern())
	if n == nil {
		return
	}
	at := b.epoch.instant(now)
	b.settle(at)
	s := b.takeScratch()
	defer b.putScratch(s)
	told, taken := n.record(k, b.read(s, k.Family, a, at), at)
	if taken {
		told.owners = b.hear(n.view)
	}
	b.tell(told)
}

// Fail takes a failure (reason: "SERVFAIL", "timeout", ...); it removes nothing. The reason stands in messages, so it
// must be one of a few. A failure of a retired source is noted, and the source stays retired.
func (b *Book) Fail(k Key, reason string, now time.Time) {
	if n := b.find(k.View, k.Name.Pattern()); n != nil {
		b.tell(n.fail(k, reason, b.epoch.instant(now)))
	}
}

// Retire takes a source out that is asked no more for a view: its addresses age by retention once another source has given a
// good answer to the same question (the same name and family); until then MaxStale bounds them. A name of which all
// sources are retired keeps its state. The producer sees to it that nothing that it asked the source before arrives
// after: that would count as the source being back.
func (b *Book) Retire(v View, s Source, now time.Time) {
	retired := b.viewNamed(v)
	if retired == nil {
		return
	}
	at := b.epoch.instant(now)
	var told news
	b.eachName(retired, func(n *name) { told.add(n.retire(s, at)) })
	b.tell(told)
}

// find returns the name of a pattern; nil if nobody wants it.
func (b *Book) find(v View, p fqdn.Pattern) *name {
	if v == "" {
		return b.index.Get(p)
	}
	b.rlock()
	defer b.runlock()
	if known := b.views[v]; known != nil {
		return known.names[p]
	}
	return nil
}

// viewNamed returns a view; nil if there is none.
func (b *Book) viewNamed(v View) *view {
	b.rlock()
	defer b.runlock()
	return b.views[v]
}

// answer is a good answer as it counts.
type answer struct {
	outcome Outcome
	addrs   []ip // sorted, distinct; in scratch space
	expires instant
	capped  bool // its TTL is longer than what counts
}

// scratch is space for one call. A few are kept, so that the repeat of an answer allocates nothing.
type scratch struct {
	addrs          []ip
	seen, instants []instant
}

// space returns space for so many instants.
func (s *scratch) space(of *[]instant, size int) []instant {
	*of = slices.Grow((*of)[:0], size)[:size]
	return *of
}

const spareScratch = 16

func (b *Book) takeScratch() *scratch {
	select {
	case s := <-b.scratch:
		return s
	default:
		return &scratch{}
	}
}

func (b *Book) putScratch(s *scratch) {
	select {
	case b.scratch <- s:
	default:
	}
}

// read returns what counts of an answer.
func (b *Book) read(s *scratch, f Family, a Answer, at instant) answer {
	read := answer{
		outcome: a.Outcome,
		expires: at.plus(min(max(a.TTL, 0), b.options.MaxStale)),
		capped:  a.TTL > b.options.MaxStale,
	}
	if a.Outcome != Good {
		return read
	}
	s.addrs = s.addrs[:0]
	for _, addr := range a.Addrs {
		if addr.IsValid() && familyOf(addr) == f {
			s.addrs = append(s.addrs, ipOf(addr))
		}
	}
	if !slices.IsSortedFunc(s.addrs, ip.compare) {
		slices.SortFunc(s.addrs, ip.compare)
	}
	s.addrs = slices.Compact(s.addrs)
	read.addrs = s.addrs
	if len(read.addrs) == 0 {
		read.outcome = NoData
	}
	return read
}

func (b *Book) lock() {
	b.mu.Lock()
	b.watch.take()
}

func (b *Book) unlock() {
	b.watch.give()
	b.mu.Unlock()
}

func (b *Book) rlock() {
	b.mu.RLock()
	b.watch.take()
}

func (b *Book) runlock() {
	b.watch.give()
	b.mu.RUnlock()
}
