// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// After a start the policies come in any order, and names that live rules have addresses of must get their places back from new
// ones that came before them. With room for three names a tenant:
//
//	step                            names     waits       because
//	p lists a b c, of which none    a b c     -
//	q lists d e, of which d is held a b d     c e         d is held; c is the youngest that is not
//	r lists c, which is held        a c d     b e         two policies list c, and one of them holds it
//	s lists f, held, at 1m later    a c d     b e f       nothing is held any more
//
// Where the policies list names too often, the youngest listings that are not held wait again, whether others list the name or not.
//
// If more are held than the limit, because it was lowered, they are admitted as far as the process has room.

// starting is how long after the first Want of a Book something is held. A process looks at 10,000 policies in 10 s; later
// nobody was there before, and who deletes a policy and makes it anew must not get more names by it.
const starting = time.Minute

// heldOf returns what counts of Wants.Held at an instant.
func (b *Book) heldOf(ps []fqdn.Pattern, at instant) map[fqdn.Pattern]bool {
	b.firstWant.CompareAndSwap(int64(never), int64(at))
	b.settle(at)
	if b.settled.Load() || len(ps) == 0 {
		return nil
	}
	held := make(map[fqdn.Pattern]bool, len(ps))
	for _, p := range ps {
		held[p] = true
	}
	return held
}

// settle forgets who is held by nobody once nothing is held any more. Each Want that changes something looks, and each Record of a name
// that is wanted, whoever it is about.
func (b *Book) settle(at instant) {
	first := instant(b.firstWant.Load())
	if b.settled.Load() || first == never || first.plus(starting) > at {
		return
	}
	b.lock()
	defer b.unlock()
	b.settled.Store(true)
	b.unheld = nil
}

// unheld is what a tenant got since the start and is not held, the youngest last.
type unheld struct {
	names []*name
	wants []*want
}

// noteUnheld remembers that x may have to wait again. further: the tenant has a name more by it.
func (b *Book) noteUnheld(x *want, further bool) {
	if b.settled.Load() {
		return
	}
	b.lock()
	defer b.unlock()
	if b.settled.Load() {
		return
	}
	u := b.unheld[x.owner.tenant]
	if u == nil {
		u = &unheld{}
		b.unheld[x.owner.tenant] = u
	}
	u.wants = append(u.wants, x)
	if further {
		u.names = append(u.names, x.name())
	}
}

// yield sends names of a tenant that is over its limits back to those that wait, the youngest first: all who list one where it has
// too many names, and one after the other where it lists them too often.
func (b *Book) yield(t *tenant) {
	var told news
	for n := b.youngestName(t); n != nil; n = b.youngestName(t) {
		for _, x := range n.unheldWants(t) {
			b.sendBack(x, NamesPerTenant, &told)
		}
	}
	for x := b.youngestWant(t); x != nil; x = b.youngestWant(t) {
		b.sendBack(x, ListingsPerTenant, &told)
	}
	b.tell(told)
}

// youngestName takes the name that the tenant got last; nil: it is within its limit, or only older names are left.
func (b *Book) youngestName(t *tenant) *name {
	b.lock()
	defer b.unlock()
	u := b.unheld[t]
	if u == nil || t.names.Load() <= int64(b.options.MaxNamesPerTenant) {
		return nil
	}
	return popLast(&u.names)
}

// youngestWant takes the want that the tenant got last; nil: it is within its limit, or only older ones are left.
func (b *Book) youngestWant(t *tenant) *want {
	b.lock()
	defer b.unlock()
	u := b.unheld[t]
	if u == nil || t.listings.Load() <= int64(b.options.MaxListingsPerTenant) {
		return nil
	}
	return popLast(&u.wants)
}

// popLast takes the last element; nil: there is none.
func popLast[T any](list *[]*T) *T {
	last := len(*list) - 1
	if last < 0 {
		return nil
	}
	x := (*list)[last]
	(*list)[last] = nil
	*list = (*list)[:last]
	return x
}

// unheldWants returns the wants of a tenant; none if one of them is held.
func (n *name) unheldWants(t *tenant) []*want {
	n.lock()
	defer n.unlock()
	if i := n.shareOf(t); i < 0 || n.shares.all()[i].held {
		return nil
	}
	var wants []*want
	for _, g := range n.groups.all() {
		for _, x := range g.wants.all() {
			if x.owner.tenant == t {
				wants = append(wants, x)
			}
		}
	}
	return wants
}

// sendBack makes a want leave its name and wait before all others of its tenant, unless its owner dropped it meanwhile.
func (b *Book) sendBack(x *want, limit Limit, told *news) {
	w := x.owner
	w.changing.Lock()
	defer w.changing.Unlock()
	l := w.list.Load()
	if w.gone || l == nil {
		return
	}
	i := slices.Index(l.wants, x)
	if i < 0 {
		return
	}
	waits := newWant(w, *x.pattern, x.since, false)
	waits.limit = limit
	b.leave(x)
	b.waitAgain(waits)
	b.replaceWant(w, l, i, waits)
	told.add(news{wakes: []wake{{wants: []*want{waits}, urgency: Other}}})
}

// replaceWant makes another want the i-th of an owner.
func (b *Book) replaceWant(w *owner, l *list, i int, x *want) {
	next := *l
	next.wants = slices.Clone(l.wants)
	next.wants[i] = x
	w.list.Store(&next)
}
