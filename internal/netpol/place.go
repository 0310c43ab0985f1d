// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"net/netip"
	"slices"
)

// leftOut is the object of a grant that has no place.
const leftOut = -1

// placement says which object has which grant for a name.
type placement struct {
	object  []int // of each grant in Names, rule after rule: a number, or leftOut
	count   int   // how many have a place
	leftOut int   // how many have none because the objects are full
	noRoom  int   // how many others have none because of Input.Room
}

// place gives each grant for a name an object, or leaves it out. A grant that stands in an object stays there, also where
// the object has more peers than it may: an older version wrote up to 5,000, and to move them would rewrite all at once. A new
// address goes to an object that has it at other ports (so that an edit of ports moves nothing), else to one that is written
// anyway because something leaves it, else to the first with room. In the end the last object is emptied if the others can
// take its peers.
//
//	objects hold 3       wanted           placed
//	[.1 .2 .3]           .1 .2 .3 .4      [.1 .2 .3] [.4]
//	[.1 .2 .3] [.4]      .2 .3 .4 .5      [.2 .3 .5] [.4]
//	[.1 .2] [.4 .5 .6]   .1 .2 .5 .6 .7   [.1 .2] [.5 .6 .7]
//	[.1 .2 .3] [.4]      .1 .3 .4         [.1 .3 .4]
//	[.1 .2 .3 .4 .5]     .1 .2 .3 .5 .6   [.1 .2 .3 .5] [.6]
//	none, at most one    .1 .2 .3 .4      [.1 .2 .3], .4 is left out
//
// Over all objects it places no more grants than inAll, or than are live if that is more:
//
//	two more in all      wanted           placed
//	[.1 .2]              .1 .2 .3 .4 .5   [.1 .2 .3] [.4], no room for .5
//	[.1 .2]              .3 .4 .5 .6 .7   [.3 .4 .5] [.6], no room for .7
//	[.1 .2 .3]           .1 .2            [.1 .2]
func place(rules []RuleGrants, l *live, room []int, inAll int) placement {
	s := seating{standsIn: standsIn(rules, l), room: slices.Clone(room), count: make([]int, len(room))}
	s.object = make([]int, len(s.standsIn))
	todo := unlisted(rules)
	placed := placement{object: s.object}
	fitting := min(len(todo), sum(room))
	placed.leftOut = len(todo) - fitting
	placed.count = min(fitting, max(inAll, s.standing(todo)))
	placed.noRoom = fitting - placed.count
	excess, todo := leaveOut(todo, len(todo)-placed.count, rules, s.standsIn)
	for _, i := range excess {
		s.object[i] = leftOut
	}
	todo = s.stay(todo)
	todo = s.joinAddress(todo, rules, l)
	s.fill(todo, l)
	for s.emptyLast(l) {
	}
	return placed
}

// standsIn returns the object that has each grant now, or leftOut. Both lists of a rule are sorted, so it walks along them.
func standsIn(rules []RuleGrants, l *live) []int {
	n := 0
	for i := range rules {
		n += len(rules[i].Names)
	}
	objects := make([]int, 0, n)
	for i := range rules {
		have := l.holders[rules[i].Ports.Key]
		for _, g := range rules[i].Names {
			for len(have) > 0 && have[0].addr.Less(g.Addr) {
				have = have[1:]
			}
			if len(have) > 0 && have[0].addr == g.Addr {
				objects = append(objects, have[0].object)
			} else {
				objects = append(objects, leftOut)
			}
		}
	}
	return objects
}

// unlisted returns the grants that need a place. Those that the spec lists as ipBlocks stand in the first object anyway.
func unlisted(rules []RuleGrants) []int {
	var todo []int
	n := 0
	for i := range rules {
		todo = slices.Grow(todo, len(rules[i].Names))
		for _, g := range rules[i].Names {
			if !g.Listed {
				todo = append(todo, n)
			}
			n++
		}
	}
	return todo
}

// leaveOut parts from todo the n grants for which there is no room: first those that are not current, and of them first those that
// are not live, so that the same ones stay out the next time.
func leaveOut(todo []int, n int, rules []RuleGrants, standsIn []int) (excess, rest []int) {
	if n <= 0 {
		return nil, todo
	}
	grants := make([]*Grant, 0, len(standsIn))
	for i := range rules {
		for j := range rules[i].Names {
			grants = append(grants, &rules[i].Names[j])
		}
	}
	slices.SortFunc(todo, func(a, b int) int {
		return cmp.Or(
			compareBool(grants[a].isCurrent(), grants[b].isCurrent()),
			compareBool(standsIn[a] != leftOut, standsIn[b] != leftOut),
			grants[b].Addr.Compare(grants[a].Addr),
			cmp.Compare(b, a))
	})
	excess, rest = todo[:n], todo[n:]
	slices.Sort(rest)
	return excess, rest
}

func (g *Grant) isCurrent() bool {
	return slices.ContainsFunc(g.Claims, func(c Claim) bool { return c.Current })
}

// seating is a placement under construction.
type seating struct {
	standsIn []int // by grant: the object that has it now, or leftOut
	object   []int // by grant
	room     []int // by object: how many more fit; less than 0 in one that has more than it may
	count    []int // by object: how many it has
}

// standing returns how many of the grants are live.
func (s *seating) standing(todo []int) int {
	n := 0
	for _, i := range todo {
		if s.standsIn[i] != leftOut {
			n++
		}
	}
	return n
}

func (s *seating) put(grant, object int) {
	s.object[grant] = object
	s.room[object]--
	s.count[object]++
}

// stay leaves grants in the object that has them, and returns the others.
func (s *seating) stay(todo []int) (rest []int) {
	for _, i := range todo {
		if s.standsIn[i] == leftOut {
			rest = append(rest, i)
		} else {
			s.put(i, s.standsIn[i])
		}
	}
	return rest
}

// joinAddress puts a grant where its address is at other ports, if there is room, and returns the others.
func (s *seating) joinAddress(todo []int, rules []RuleGrants, l *live) (rest []int) {
	if len(todo) == 0 || len(l.holders) == 0 {
		return todo
	}
	n := 0 // of the first grant of the rule
	for i := range rules {
		names := rules[i].Names
		for len(todo) > 0 && todo[0] < n+len(names) {
			object, ok := l.anyObjectWith(names[todo[0]-n].Addr)
			if ok && s.room[object] > 0 {
				s.put(todo[0], object)
			} else {
				rest = append(rest, todo[0])
			}
			todo = todo[1:]
		}
		n += len(names)
	}
	return rest
}

// anyObjectWith returns the first object that has a at whatever ports.
func (l *live) anyObjectWith(a netip.Addr) (object int, ok bool) {
	for _, list := range l.holders {
		if i, found := objectIn(list, a); found && (!ok || i < object) {
			object, ok = i, true
		}
	}
	return object, ok
}

// fill puts each remaining grant into the first object with room. Objects that lose something in this plan come first, as
// they are written anyway. There is always room: leaveOut took out as many grants as the room of all objects lacks. Where
// somebody else has the first name, objects are filled in plain order, so that the grants that belong there wait for it (see
// roomsOf).
func (s *seating) fill(todo []int, l *live) {
	if len(todo) == 0 {
		return
	}
	had := make([]int, len(s.room))
	for _, list := range l.holders {
		for _, at := range list {
			had[at.object]++
		}
	}
	var left, order []int
	for object, n := range had {
		if n > s.count[object] && !l.foreign[0] {
			left = append(left, object)
		} else {
			order = append(order, object)
		}
	}
	order = append(left, order...)
	for _, i := range todo {
		for s.room[order[0]] <= 0 {
			order = order[1:]
		}
		s.put(i, order[0])
	}
}

// emptyLast moves the grants of the last object into those before it, if they can take all, and tells whether it did.
func (s *seating) emptyLast(l *live) bool {
	last := len(s.count) - 1
	for last > 0 && s.count[last] == 0 {
		last--
	}
	free := 0
	for i := range last {
		if s.takes(i, l) {
			free += s.room[i]
		}
	}
	if last == 0 || s.count[last] > free {
		return false
	}
	to := 0
	for i := range s.object {
		if s.object[i] != last {
			continue
		}
		for !s.takes(to, l) {
			to++
		}
		s.put(i, to)
		s.room[last]++
		s.count[last]--
	}
	return true
}

// takes tells whether an object may take grants of the last one: it exists, it has room, and its name is ours. A move never
// creates an object.
func (s *seating) takes(object int, l *live) bool {
	isThere := s.count[object] > 0
	if object == 0 {
		isThere = !l.foreign[0]
	}
	return isThere && s.room[object] > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
