// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// queue has the wants of a tenant that wait for room. One comes or goes at once, however many there are: 500 policies may have
// 500 each. The Book's lock guards it.
type queue struct {
	// back has those that had their place already, the first one last, and wants the others, from head on. One that waits no more
	// leaves a nil in its place, unless it was the first one.
	back  []*want
	wants []*want
	head  int
	size  int
}

// add puts x behind all others.
func (q *queue) add(x *want) {
	x.place = int32(len(q.wants))
	q.wants = append(q.wants, x)
	q.size++
}

// putBack puts x before all others.
func (q *queue) putBack(x *want) {
	q.back = append(q.back, x)
	x.place = -int32(len(q.back))
	q.size++
}

// first returns the one whose turn it is; nil: there is none.
func (q *queue) first() *want {
	switch {
	case len(q.back) > 0:
		return q.back[len(q.back)-1]
	case q.head < len(q.wants):
		return q.wants[q.head]
	}
	return nil
}

// all returns them in order.
func (q *queue) all() []*want {
	all := make([]*want, 0, q.size)
	for _, x := range slices.Backward(q.back) {
		if x != nil {
			all = append(all, x)
		}
	}
	for _, x := range q.wants[q.head:] {
		if x != nil {
			all = append(all, x)
		}
	}
	return all
}

// remove takes x out; false: it did not wait.
func (q *queue) remove(x *want) bool {
	in, i := q.wants, int(x.place)
	if i < 0 {
		in, i = q.back, -i-1
	}
	if i >= len(in) || in[i] != x {
		return false
	}
	in[i] = nil
	q.size--
	for last := len(q.back) - 1; last >= 0 && q.back[last] == nil; last-- {
		q.back = q.back[:last]
	}
	for q.head < len(q.wants) && q.wants[q.head] == nil {
		q.head++
	}
	if len(q.back)+len(q.wants) > 2*q.size+sparePlaces {
		q.tidy()
	}
	return true
}

// sparePlaces is how many places of those that wait no more there may be in any case.
const sparePlaces = 16

// tidy gives up the places of those that wait no more.
func (q *queue) tidy() {
	isNil := func(x *want) bool { return x == nil }
	q.back = slices.Clone(slices.DeleteFunc(q.back, isNil))
	q.wants = slices.Clone(slices.DeleteFunc(q.wants, isNil))
	q.head = 0
	for i, x := range q.back {
		x.place = -int32(i) - 1
	}
	for i, x := range q.wants {
		x.place = int32(i)
	}
}
