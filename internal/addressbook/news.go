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
	wants   []*want // not shared with the name
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
	for _, w := range ns.wakes {
		count += len(w.wants)
	}
	if count == 0 {
		return nil
	}
	calls := make([]call, 0, count)
	var known map[*owner]int // where an owner may come twice
	if ns.names > 1 || len(ns.owners) > 0 {
		known = make(map[*owner]int, count)
	}
	callOf := func(w *owner, u Urgency) int {
		i, again := known[w]
		if !again {
			i = len(calls)
			calls = append(calls, call{owner: w, revision: Revision(w.revision.Add(1))})
			if known != nil {
				known[w] = i
			}
		}
		calls[i].urgency = max(calls[i].urgency, u)
		return i
	}
	for _, k := range ns.wakes {
		for _, x := range k.wants {
			i := callOf(x.owner, k.urgency)
			if k.urgency >= Added && x.gains(calls[i].revision, ns.awaited) && ns.awaited {
				calls[i].urgency = Awaited
			}
		}
	}
	for _, w := range ns.owners {
		callOf(w, Other)
	}
	for _, k := range ns.wakes {
		b.recycleWants(k.wants)
	}
	return calls
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

// manyWants is from how many on space for wants is used again: to clear 8 kB takes longer than to fill them.
const manyWants = 1024

// copyWants copies wants, of which a name may have 10,000, while its lock is held.
func (b *Book) copyWants(wants []*want) []*want {
	if len(wants) < manyWants {
		return append([]*want(nil), wants...)
	}
	select {
	case spare := <-b.spareWants:
		return append(spare, wants...)
	default:
		return append([]*want(nil), wants...)
	}
}

// recycleWants takes back space that nobody reads any more.
func (b *Book) recycleWants(wants []*want) {
	if cap(wants) < manyWants {
		return
	}
	clear(wants) // so that it keeps nothing alive
	select {
	case b.spareWants <- wants[:0]:
	default:
	}
}
