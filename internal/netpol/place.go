// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"cmp"
	"slices"
)

// leftOut is the object of a peer that has no place.
const leftOut = -1

// placement decides which object holds which peer.
type placement struct {
	live  *live
	peers []peer
	room  []int // by object: how many more peers fit
	count []int // by object: how many peers it holds
}

// place gives each peer an object, or leaves it out; it returns how many it left out. Peers stay where they are; a new
// one goes to an object that holds the address in another rule (so that an edit of ports moves nothing), else to the first
// with room. In the end the last object is emptied if the others can take its peers.
func (c *compilation) place(peers []peer) (left int) {
	p := &placement{live: c.live, peers: peers, room: c.rooms(), count: make([]int, c.in.MaxObjects)}
	todo := p.choose()
	left = p.leaveOut(&todo)
	todo = p.pass(todo, func(q *peer) (int, bool) { i, ok := p.live.at[place{q.rule, q.addr}]; return i, ok })
	todo = p.pass(todo, func(q *peer) (int, bool) { i, ok := p.live.holds[q.addr]; return i, ok })
	p.pass(todo, func(*peer) (int, bool) { return p.firstRoom(), true })
	for p.emptyLast() {
	}
	return left
}

// rooms returns how many address peers each object may hold. What must stand in the first object counts there. A name
// after the first that a Foreign object has is passed over; the first name is needed whoever has it, so what belongs there
// waits for it.
func (c *compilation) rooms() []int {
	room := make([]int, c.in.MaxObjects)
	for i := range room {
		if i == 0 || !c.live.foreign[i] {
			room[i] = c.in.MaxPeers
		}
	}
	for i := range c.dns {
		room[0] -= len(c.dns[i].To)
	}
	for i := range c.rules {
		room[0] -= len(c.rules[i].ordinary)
	}
	room[0] = max(room[0], 0)
	return room
}

// choose returns the peers that need a place. Those that the spec lists as ipBlocks stand in the first object already.
func (p *placement) choose() []int {
	todo := make([]int, 0, len(p.peers))
	for i := range p.peers {
		p.peers[i].object = 0
		if !p.peers[i].listed {
			todo = append(todo, i)
		}
	}
	return todo
}

// leaveOut takes out of todo what exceeds the room of all objects: first what is not current, and of those first what is
// not live, so that the same ones stay out the next time.
func (p *placement) leaveOut(todo *[]int) int {
	excess := len(*todo)
	for _, n := range p.room {
		excess -= n
	}
	if excess <= 0 {
		return 0
	}
	slices.SortFunc(*todo, func(a, b int) int {
		x, y := &p.peers[a], &p.peers[b]
		return cmp.Or(
			compareBool(x.current, y.current),
			compareBool(p.live.has(x.rule, x.addr), p.live.has(y.rule, y.addr)),
			y.addr.Compare(x.addr),
			cmp.Compare(y.rule, x.rule))
	})
	for _, i := range (*todo)[:excess] {
		p.peers[i].object = leftOut
	}
	*todo = (*todo)[excess:]
	slices.Sort(*todo)
	return excess
}

// pass places those peers whose pick has room, and returns the rest.
func (p *placement) pass(todo []int, pick func(*peer) (object int, ok bool)) (rest []int) {
	rest = todo[:0]
	for _, i := range todo {
		object, ok := pick(&p.peers[i])
		if !ok || p.room[object] == 0 {
			rest = append(rest, i)
			continue
		}
		p.put(i, object)
	}
	return rest
}

func (p *placement) put(i, object int) {
	p.peers[i].object = object
	p.room[object]--
	p.count[object]++
}

// firstRoom returns the first object with room; leaveOut has made sure that there is one.
func (p *placement) firstRoom() int {
	return slices.IndexFunc(p.room, func(n int) bool { return n > 0 })
}

// emptyLast moves the peers of the last object into those before it, if they all fit, and tells whether it did.
func (p *placement) emptyLast() bool {
	last := len(p.count) - 1
	for last > 0 && p.count[last] == 0 {
		last--
	}
	targets, free := p.targets(last)
	if last == 0 || p.count[last] > free {
		return false
	}
	for i := range p.peers {
		if p.peers[i].object != last {
			continue
		}
		for p.room[targets[0]] == 0 {
			targets = targets[1:]
		}
		p.room[last]++
		p.count[last]--
		p.put(i, targets[0])
	}
	return true
}

// targets returns the objects before last that peers may move to, and the room there. No object is created for a move, and
// none whose name somebody else has takes part.
func (p *placement) targets(last int) (objects []int, free int) {
	for i := range last {
		if i == 0 && !p.live.foreign[0] || i > 0 && p.count[i] > 0 {
			objects = append(objects, i)
			free += p.room[i]
		}
	}
	return objects, free
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
