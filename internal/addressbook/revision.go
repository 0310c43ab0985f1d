// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// Revision counts changes. That of a Snapshot is of its owner: it grows with every change that wakes the owner, and with each
// Want that changes something. That of a PatternState is another one when the set of its addresses is, and only then; 0: there
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
func ticketFor(names []*name, calls []call) (Ticket, []call) {
	t := ticketing{calls: calls}
	for _, n := range names {
		if n.lacking.Load() == 0 {
			continue
		}
		for _, wants := range n.wants() {
			for _, x := range wants {
				t.add(x)
			}
		}
	}
	if len(names) > 1 {
		t.lacking = latestOf(t.lacking)
	}
	return t.Ticket, t.calls
}

// ticketing is a Ticket that is being written, and whom to call for it.
type ticketing struct {
	Ticket
	calls  []call
	places map[*owner]int // in calls; made when it is needed
}

// add takes in what x's owner lacks of its name.
func (t *ticketing) add(x *want) {
	r, first, lacks := x.due()
	if lacks {
		t.lacking = append(t.lacking, due{owner: x.owner, revision: r})
	}
	if !first {
		return
	}
	if t.places == nil {
		t.places = make(map[*owner]int, len(t.calls))
		for i, c := range t.calls {
			t.places[c.owner] = i
		}
	}
	i, again := t.places[x.owner]
	if !again {
		i, t.places[x.owner] = len(t.calls), len(t.calls)
		t.calls = append(t.calls, call{owner: x.owner, revision: r})
	}
	t.calls[i].urgency = Awaited
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

// wants returns those that want a name, by groups.
func (n *name) wants() [][]*want {
	n.lock()
	defer n.unlock()
	groups := n.groups.all()
	all := make([][]*want, len(groups))
	for i, g := range groups {
		all[i] = g.all()
	}
	return all
}
