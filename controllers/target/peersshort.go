// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

// shortTenants are those of which targets wait and none is being looked at, as a heap: the one with the fewest peers first, of equal
// ones who has waited for a turn for longest. It has the most room of all.
type shortTenants []*tenantPeers

const notShort = -1

// Len implements heap.Interface.
func (s shortTenants) Len() int { return len(s) }

// Less implements heap.Interface.
func (s shortTenants) Less(i, j int) bool {
	if s[i].has != s[j].has {
		return s[i].has < s[j].has
	}
	return s[i].since < s[j].since
}

// Swap implements heap.Interface.
func (s shortTenants) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push implements heap.Interface.
func (s *shortTenants) Push(x any) {
	t := x.(*tenantPeers)
	t.place = len(*s)
	*s = append(*s, t)
}

// Pop implements heap.Interface.
func (s *shortTenants) Pop() any {
	last := len(*s) - 1
	t := (*s)[last]
	(*s)[last], *s = nil, (*s)[:last]
	t.place = notShort
	return t
}
