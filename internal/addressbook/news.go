// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// news is whom a change concerns.
type news struct {
	wakes  []wake   // who sees something else of a name
	owners []*owner // who sees something else altogether
	names  int      // that it is about; of one name an owner has one want at the most
	// awaited: a Ticket is given for addresses that came.
	awaited bool
}

// wake are wants of one name whose owners see something else of it.
type wake struct {
	wants   []*want // immutable
	urgency Urgency
}

// add takes in the news of another name.
func (ns *news) add(more news) {
	if len(more.wakes) > 0 {
		ns.wakes = append(ns.wakes, more.wakes...)
		ns.names++
	}
}

// call is a call of OnChange that is to be made.
type call struct {
	owner    *owner
	revision Revision
	urgency  Urgency
}

// tell gives each owner whom news concerns a new revision, and wakes it.
func (b *Book) tell(ns news) { b.wake(b.revise(ns)) }

// revise gives each owner whom news concerns a new revision. What it is about can be read already, so a Snapshot with that
// revision has it.
func (b *Book) revise(ns news) []call {
	count := len(ns.owners)
	for _, k := range ns.wakes {
		count += len(k.wants)
	}
	if count == 0 {
		return nil
	}
	r := revising{calls: make([]call, 0, count)}
	if ns.names > 1 || len(ns.owners) > 0 { // an owner may come twice
		r.places = make(map[*owner]int, count)
	}
	for _, k := range ns.wakes {
		for _, x := range k.wants {
			c := r.call(x.owner, k.urgency)
			if k.urgency >= Added && x.gains(c.revision, ns.awaited) && ns.awaited {
				c.urgency = Awaited
			}
		}
	}
	for _, w := range ns.owners {
		r.call(w, Other)
	}
	return r.calls
}

// revising is the calls that revise has gathered.
type revising struct {
	calls  []call
	places map[*owner]int // nil: no owner comes twice
}

// call returns the call of an owner, which it adds with a new revision if need be.
func (r *revising) call(w *owner, u Urgency) *call {
	i, again := r.places[w]
	if !again {
		i = len(r.calls)
		r.calls = append(r.calls, call{owner: w, revision: Revision(w.revision.Add(1))})
		if r.places != nil {
			r.places[w] = i
		}
	}
	c := &r.calls[i]
	c.urgency = max(c.urgency, u)
	return c
}

// wake calls OnChange's function, if there is one.
func (b *Book) wake(calls []call) {
	changed := b.changed.Load()
	if changed == nil {
		return
	}
	for _, c := range calls {
		(*changed)(c.owner.Owner, c.urgency)
	}
}
