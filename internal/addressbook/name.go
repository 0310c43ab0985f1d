// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// name is one pattern that somebody wants, and all that is known of it: an exact name, or a wildcard, for which nothing can be
// asked and which has a pool of overheard addresses alone.
type name struct {
	pattern fqdn.Pattern
	view    *view

	// Guarded by the Book's lock.
	refs  int32 // wants that joined or are about to
	place int32 // in view.all; 0 in the zero View

	mu        sync.Mutex // guards all that follows
	gone      bool       // nobody wants it any more
	asked     [families]bool
	joins     [families]bool // the family was not asked when others of the name had spoken already
	billed    bool           // a share has another size than its tenant knows of
	lacking   atomic.Int32   // wants whose owners have not applied yet what the name gained
	size      int32          // of the union when it was made last
	groups    few[*group]    // sorted by term
	shares    few[share]     // the tenants of the wants, in the order in which they came
	retention time.Duration  // the longest of the groups'

	questions []question        // sorted by question.compare
	answered  [families]instant // the first good answer of each family from any source; never: none yet
	pruneAt   instant           // before that there is nothing to prune
	looked    instant           // when it was pruned last, or there was nothing to prune
	rare      *rare             // to be read; see change
}

// rare is what most names have not: those of which nothing but answers that repeat was heard. A name without it shares the one
// of the Book, which nothing changes, so there are two ways to it:
//
//	n.rare.marks      reads
//	n.change().marks  makes a rare of the name's own first, if need be, and may be assigned to
type rare struct {
	unrest    *unrest               // nil: nothing ever went back and forth
	marks     marks                 // of the limits that bit
	overheard [families][]overheard // sorted by address
	union     unions                // see united; nil: not kept

	rotations    [families]*rotation // nil: no answer of the family differed from the one before it
	adapted      time.Duration       // the retention that they need; 0: the name does not rotate
	captured     int32               // what they remember, as the shares are charged for it
	rotated      instant             // when the last address began to age that an answer lacked; never: none did
	chargedUntil instant             // until then the shares have the same sizes, if nobody says anything
}

func newRare() *rare { return &rare{rotated: never, chargedUntil: forever} }

// change returns what is rare of a name, to be changed.
func (n *name) change() *rare {
	if n.rare == n.view.book.common {
		n.rare = newRare()
	}
	return n.rare
}

func (b *Book) newName(p fqdn.Pattern, v *view) *name {
	return &name{
		pattern: p, view: v, asked: b.asked,
		answered: [families]instant{never, never}, pruneAt: never, looked: never, rare: b.common,
	}
}

// Pattern returns the pattern, for the index.
func (n *name) Pattern() fqdn.Pattern { return n.pattern }

// exact tells whether it is no wildcard.
func (n *name) exact() bool {
	_, exact := n.pattern.Exact()
	return exact
}

func (n *name) subject() Subject {
	called, _ := n.pattern.Exact()
	return Subject{View: n.view.View, Name: called}
}

// changes makes what was computed of the name invalid, of its addresses only those of a family.
func (n *name) changes(f Family) {
	if n.rare.union[f] != nil {
		n.rare.union[f] = nil
	}
	for _, g := range n.groups.all() {
		g.changes()
	}
}

// record enters a good answer, if it is for somebody.
func (n *name) record(k Key, a answer, at instant) (told news, taken bool) {
	n.lock()
	defer n.unlock()
	if !n.takes(k.Family) {
		return news{}, false
	}
	n.prune(at)
	if n.repeats(k, a, at) {
		return news{}, true
	}
	before := n.facets(at)
	n.learn(k, a, before.union, at)
	return n.changed(before, at), true
}

// fail enters a failure.
func (n *name) fail(k Key, reason string, at instant) news {
	n.lock()
	defer n.unlock()
	if !n.takes(k.Family) {
		return news{}
	}
	n.prune(at)
	if q := n.question(k); q != nil && q.failed && q.trouble.reason == reason {
		q.trouble.hears(at)
		return news{}
	}
	before := n.facets(at)
	n.failed(k, reason, at)
	return n.changed(before, at)
}

// retire takes note that a source is asked no more.
func (n *name) retire(s Source, at instant) news {
	n.lock()
	defer n.unlock()
	if n.gone || !n.inService(s) {
		return news{}
	}
	n.prune(at)
	before := n.facets(at)
	n.retired(s, at)
	return n.changed(before, at)
}

// takes tells whether answers of a family are for somebody.
func (n *name) takes(f Family) bool { return !n.gone && f < families && n.asked[f] }

// repeats takes an answer that says what its question's last word said, if it is one: that moves its expiry only.
func (n *name) repeats(k Key, a answer, at instant) bool {
	q := n.question(k)
	if q == nil || !q.repeats(a) || n.awaitsSuccessor(k.Family) {
		return false
	}
	q.good, q.expires = at, a.expires
	return true
}

// learn changes what is known by a good answer; known is what the name has.
func (n *name) learn(k Key, a answer, known unions, at instant) {
	defer n.settleFamilies(n.down(), at)
	q := n.ensureQuestion(k)
	n.compare(q, a.outcome, at, a.expires)
	n.recover(q, at, a.expires)
	addrs := n.fit(q, a.addrs, known, at, a.expires)
	n.changes(k.Family) // not before: to make room the name was united without the answer
	n.sample(q, addrs, known[k.Family], at)
	n.adapt(n.view.book.options.MaxRetention)
	q.replace(addrs, at)
	n.cap(q, a.capped, at)
	q.failed, q.outcome = false, a.outcome
	q.good, q.expires = at, a.expires
	q.retire(never)
	if n.answered[k.Family] == never {
		n.answered[k.Family] = at
	}
	n.ageRetired(k.Family, at)
	n.prunesFrom(at.plus(ListedAfterUntil)) // nothing that starts to age now is not listed before
}

// failed changes what is known by a failure.
func (n *name) failed(k Key, reason string, at instant) {
	defer n.settleFamilies(n.down(), at)
	n.changes(k.Family)
	q := n.ensureQuestion(k)
	_, t := n.unsettle(q)
	if q.silent() {
		q.retire(never) // its family is asked again
	}
	told := q.failed || at < t.noted
	if !told || t.reason == reason || t.turns(at) {
		t.reason = reason
		t.hears(at)
	}
	if !q.failed {
		q.failed, t.since = true, at
	}
	n.prunesFrom(at)
}

// retired changes what is known by a source that is asked no more.
func (n *name) retired(s Source, at instant) {
	defer n.settleFamilies(n.down(), at)
	for i := range n.questions {
		if q := &n.questions[i]; q.source.Value() == s && q.retired() == never {
			n.changes(q.family)
			q.retire(at)
			n.prunesFrom(at)
		}
	}
}

func (n *name) lock() {
	n.mu.Lock()
	n.view.book.watch.take()
}

// unlock gives the lock back and, after that, tells the tenants about a change of size: 10,000 may list one name.
func (n *name) unlock() {
	bills := n.bills()
	n.view.book.watch.give()
	n.mu.Unlock()
	for _, b := range bills {
		b.tenant.resize(b.addresses, b.captures)
	}
}
