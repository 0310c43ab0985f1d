// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// Revision counts changes. That of a Snapshot is of its owner: it grows with every change that wakes the owner, and with each
// Want that changes something. That of an Entry is another one when the set of its addresses is, and only then; 0: there
// are none.
type Revision uint64

// Urgency is why OnChange wakes an owner, the most urgent last.
type Urgency uint8

// The urgencies.
const (
	// Other: states, messages, or addresses that went.
	Other Urgency = iota
	// Added: addresses came.
	Added
	// Awaited: addresses came, and a Ticket was given for them.
	Awaited
)

// Ticket is what Observe brought: of each owner that lacks it, the revision with which it has it. The zero Ticket is one that
// nobody has to wait for.
//
//	owner  its Snapshot has .1 since  it applied  in the ticket of an answer with .1
//	a      revision 7                 6           a, 7
//	b      revision 3                 5           no: it is in force
//	c      revision 9, unhealthy      2           no: nobody waits for it
type Ticket struct{ lacking []due }

// due is the revision that an owner has yet to apply.
type due struct {
	owner    *owner
	revision Revision
}

// Owners is how many owners lacked something.
func (t Ticket) Owners() int { return len(t.lacking) }

// ticketFor gathers the owners that lack something of the names, and calls those whom no ticket named before.
func (b *Book) ticketFor(names []*name, calls []call) (Ticket, []call) {
	var t Ticket
	var called map[*owner]int
	for _, n := range names {
		if n.lacking.Load() == 0 {
			continue
		}
		wants := b.wantsOf(n)
		for _, x := range wants {
			r, first, lacks := x.due()
			if !lacks {
				continue
			}
			t.lacking = append(t.lacking, due{owner: x.owner, revision: r})
			if first {
				if called == nil {
					called = placesOf(calls)
				}
				i, again := called[x.owner]
				if !again {
					i, called[x.owner] = len(calls), len(calls)
					calls = append(calls, call{owner: x.owner, revision: r})
				}
				calls[i].urgency = Awaited
			}
		}
		b.recycleWants(wants)
	}
	if len(names) > 1 {
		t.lacking = latestOf(t.lacking)
	}
	return t, calls
}

func placesOf(calls []call) map[*owner]int {
	places := make(map[*owner]int, len(calls))
	for i, c := range calls {
		places[c.owner] = i
	}
	return places
}

// latestOf keeps of each owner, which may list several of the names, what it has to apply last.
func latestOf(lacking []due) []due {
	places := make(map[*owner]int, len(lacking))
	kept := lacking[:0]
	for _, d := range lacking {
		i, again := places[d.owner]
		if !again {
			places[d.owner] = len(kept)
			kept = append(kept, d)
			continue
		}
		kept[i].revision = max(kept[i].revision, d.revision)
	}
	return kept
}

// wantsOf returns those that want a name.
func (b *Book) wantsOf(n *name) []*want {
	n.lock()
	defer n.unlock()
	var all []*want
	for i, g := range n.groups {
		if i == 0 {
			all = b.copyWants(g.wants)
			continue
		}
		all = append(all, g.wants...)
	}
	return all
}
