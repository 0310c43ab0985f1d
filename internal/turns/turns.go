// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package turns shares something scarce among tenants by turns. It decides only whose turn it is: what a turn is worth (a
// question, a write) and how many a tenant may hold at once is up to the caller. It knows no clock and no goroutine.
package turns

import (
	"cmp"
	"container/list"
	"maps"
	"slices"
)

// Classes is how many classes there are: 0, whose items go first, to Classes-1.
const Classes = 5

// Queue holds items that wait, each for the turn of a tenant. A turn gives out one item. Tenants take turns in the order in
// which they began to wait; within one the lowest class goes first, and within a class the item that came first. No class
// that waits is passed over more than Classes-1 times in a row, so the last class has every fifth turn at least.
//
//	waiting                                  given out, one a turn
//	a: a1 a2 a3    b: b1                     a1 b1 a2 a3
//	a: a1 a2 a3    b: b1, b may not          a1 a2 a3, and b1 after Resume(b)
//	a: a1 s        b: b1 b2     s: a and b   a1 b1 s b2       s takes the turn of a, which comes first
//	a: class 0 without end, class 1 and 2    0 0 0 1 2 0 0 0 1 2 ...
//	a: class 0 without end, class 4          0 0 0 0 4 0 0 0 0 4 ...
//
// A tenant with nothing that waits is forgotten, and comes last when it returns. So a tenant waits for at most one turn of
// each other one, however much those push.
//
// Push and Remove cost O(tenants of the item), Pop the same and one call of may for each tenant that was resumed or came since the
// last Pop, however many tenants there are, but for a copy of the maps once in a while: see shrink. The zero Queue is empty. It is not safe for concurrent use.
type Queue[T comparable] struct {
	items   map[T]*item[T]
	tenants map[string]*backlog[T]
	ring    list.List // of *backlog: those who wait for their turn, the next one first
	most    int       // items that waited at once since shrink made the maps
}

// item waits in one place for each of its tenants.
type item[T comparable] struct {
	value  T
	class  int
	places []place[T] // by the name of the tenant
}

// place is where an item waits for the turn of one tenant.
type place[T comparable] struct {
	tenant  *backlog[T]
	element *list.Element // of a class of the tenant
}

// backlog is all that waits of one tenant: at least one item that waits.
type backlog[T comparable] struct {
	name    string
	classes [Classes]list.List // of *item, first come first
	passed  [Classes]int       // turns in a row that went to other classes while this one waited
	count   int                // items in all classes
	turn    *list.Element      // in the ring; nil: set aside
}

// Push lets an item wait for the next turn of any of its tenants. No tenant is the tenant "". A class out of range counts as
// the nearest. An item that waits already moves to the better one of its two classes, and waits for these tenants from now on; where
// class and tenant are as before it keeps its place.
func (q *Queue[T]) Push(value T, class int, tenants ...string) {
	class = min(max(class, 0), Classes-1)
	tenants = sortedNames(tenants)
	it := q.items[value]
	if it == nil {
		if q.items == nil {
			q.items, q.tenants = map[T]*item[T]{}, map[string]*backlog[T]{}
		}
		it = &item[T]{value: value, class: class, places: make([]place[T], 0, len(tenants))}
		q.items[value] = it
		q.most = max(q.most, len(q.items))
	}
	q.leave(it, tenants)
	it.promote(class)
	q.enter(it, tenants)
}

func sortedNames(tenants []string) []string {
	switch {
	case len(tenants) == 0:
		return []string{""}
	case slices.IsSorted(tenants):
		return tenants
	}
	return slices.Sorted(slices.Values(tenants))
}

// promote moves an item to a better class of each of its tenants, behind what waits there.
func (it *item[T]) promote(class int) {
	if class >= it.class {
		return
	}
	for i, p := range it.places {
		p.tenant.remove(p.element, it.class)
		it.places[i].element = p.tenant.classes[class].PushBack(it)
	}
	it.class = class
}

// enter lets an item wait for those tenants for whom it does not yet.
func (q *Queue[T]) enter(it *item[T], names []string) {
	for _, name := range names {
		at, found := slices.BinarySearchFunc(it.places, name, func(p place[T], name string) int { return cmp.Compare(p.tenant.name, name) })
		if found {
			continue
		}
		t := q.tenants[name]
		if t == nil {
			t = &backlog[T]{name: name}
			t.turn = q.ring.PushBack(t)
			q.tenants[name] = t
		}
		t.count++
		it.places = slices.Insert(it.places, at, place[T]{tenant: t, element: t.classes[it.class].PushBack(it)})
	}
}

// leave gives up the places of an item for all tenants but those of stay, which is sorted.
func (q *Queue[T]) leave(it *item[T], stay []string) {
	it.places = slices.DeleteFunc(it.places, func(p place[T]) bool {
		if _, stays := slices.BinarySearch(stay, p.tenant.name); stays {
			return false
		}
		q.vacate(p, it.class)
		return true
	})
}

// vacate takes an item out of one tenant's class, and forgets the tenant if that was its last.
func (q *Queue[T]) vacate(p place[T], class int) {
	t := p.tenant
	t.remove(p.element, class)
	t.count--
	if t.count > 0 {
		return
	}
	if t.turn != nil {
		q.ring.Remove(t.turn)
	}
	delete(q.tenants, t.name)
}

func (t *backlog[T]) remove(e *list.Element, class int) {
	t.classes[class].Remove(e)
	if t.classes[class].Len() == 0 {
		t.passed[class] = 0
	}
}

// Pop takes the next item out, and says whose turn it was. may tells whether a tenant may have a turn now; nil: everybody may. A
// tenant that may not is set aside with all that it has, and is not asked about again before Resume: whoever makes may refuse
// must call that when the reason ends. An item that a tenant set aside shares with others takes their turns. Pop returns
// false when nobody who may have a turn waits. may must not call the Queue.
func (q *Queue[T]) Pop(may func(tenant string) bool) (value T, tenantName string, ok bool) {
	for front := q.ring.Front(); front != nil; front = q.ring.Front() {
		t := front.Value.(*backlog[T])
		if may != nil && !may(t.name) {
			q.ring.Remove(front)
			t.turn = nil
			continue
		}
		class := t.next()
		t.pass(class)
		q.ring.MoveToBack(front)
		it := t.classes[class].Front().Value.(*item[T])
		q.Remove(it.value)
		return it.value, t.name, true
	}
	return value, "", false
}

// next returns the class that has this turn: the lowest one that waits, unless others would be too late then. A class may be passed
// over Classes-1-passed more times. If more than n classes must each go within the next n turns, the one that was passed over most
// goes now.
//
//	class     0  1  2
//	passed    0  2  2     0: it leaves 1 and 2 a turn each in time
//	          0  3  3     1: were it 0 now, 1 and 2 would both have to be next
//	          1  0  4     2
func (t *backlog[T]) next() int {
	best, worst := -1, -1 // the lowest class, and of those after it the one that was passed over most
	var due [Classes]int  // others than best, by how many more turns each of them can be passed over
	for c := range t.classes {
		switch {
		case t.classes[c].Len() == 0:
		case best < 0:
			best = c
		default:
			due[max(Classes-1-t.passed[c], 0)]++
			if worst < 0 || t.passed[c] > t.passed[worst] {
				worst = c
			}
		}
	}
	waiting := 0
	for turns, n := range due {
		waiting += n
		if waiting > turns { // so many turns after this one are too few for them
			return t.mostPassed(best, worst)
		}
	}
	return best
}

// mostPassed is the one of two classes that was passed over more often; the first if neither was.
func (t *backlog[T]) mostPassed(a, b int) int {
	if t.passed[b] > t.passed[a] {
		return b
	}
	return a
}

// pass notes that a turn went to a class.
func (t *backlog[T]) pass(class int) {
	for c := range t.classes {
		if c != class && t.classes[c].Len() > 0 {
			t.passed[c]++
		}
	}
	t.passed[class] = 0
}

// Resume lets a tenant that was set aside wait for its turn again, behind those who wait. It does nothing for others.
func (q *Queue[T]) Resume(tenant string) {
	if t := q.tenants[tenant]; t != nil && t.turn == nil {
		t.turn = q.ring.PushBack(t)
	}
}

// Remove takes an item out, wherever it waits. It does nothing if it does not wait.
func (q *Queue[T]) Remove(value T) {
	it := q.items[value]
	if it == nil {
		return
	}
	delete(q.items, value)
	q.leave(it, nil)
	q.shrink()
}

// fewItems is for how many items maps are never too large.
const fewItems = 64

// shrink makes the maps anew when an eighth is left of what they had room for: a map never gives any back by itself. So a copy
// of n items comes after 7n or more that left.
func (q *Queue[T]) shrink() {
	if q.most > fewItems && len(q.items) <= q.most/8 {
		q.items, q.tenants, q.most = copied(q.items), copied(q.tenants), len(q.items)
	}
}

func copied[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	maps.Copy(c, m)
	return c
}

// Len counts the items that wait, those of tenants set aside too.
func (q *Queue[T]) Len() int { return len(q.items) }
