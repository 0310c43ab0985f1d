// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"net/netip"
	"slices"
)

// cut makes the answer to q fit into MaxAddressesPerName, in place, and counts what it leaves out. What the name has
// already comes first, then the lowest addresses. What other live questions hold keeps its place: sources or families
// that are too big together would else push out each other's addresses at every answer. All else makes room, see evict.
func (b *Book) cut(n *name, q *question, addrs []netip.Addr) (fitting []netip.Addr, left int) {
	if n.holdings()+len(addrs) <= b.options.MaxAddressesPerName {
		return addrs, 0
	}
	q.failed = true // so that what q alone holds does not count as taken; its last word is about to be replaced anyway
	b.after = n.unite(b.after[:0], b.options.MaxStale)
	room := b.options.MaxAddressesPerName
	for _, u := range b.after {
		if _, again := slices.BinarySearchFunc(addrs, u.addr, netip.Addr.Compare); again || u.stays {
			room--
		}
	}
	fitting = addrs[:0]
	for _, a := range addrs {
		if !among(b.after, a) {
			if room == 0 {
				left++
				continue
			}
			room--
		}
		fitting = append(fitting, a)
	}
	return fitting, left
}

// evict brings a name back to MaxAddressesPerName and counts what goes: the least recently answered of what no live
// question holds, of equals the highest. cut has seen to it that live questions hold no more than that.
func (b *Book) evict(n *name) int {
	if n.holdings() <= b.options.MaxAddressesPerName {
		return 0
	}
	b.after = n.unite(b.after[:0], b.options.MaxStale)
	excess := len(b.after) - b.options.MaxAddressesPerName
	if excess <= 0 {
		return 0
	}
	victims := slices.DeleteFunc(b.after, func(u union) bool { return u.stays })
	slices.SortFunc(victims, func(u, v union) int { return cmp.Or(cmp.Compare(u.seen, v.seen), v.addr.Compare(u.addr)) })
	victims = victims[:excess]
	slices.SortFunc(victims, func(u, v union) int { return u.addr.Compare(v.addr) })
	for i := range n.questions {
		q := &n.questions[i]
		q.holdings = slices.DeleteFunc(q.holdings, func(h holding) bool { return among(victims, h.addr) })
	}
	return excess
}

// holdings counts the addresses of a name, twice what two questions hold: never less than the distinct ones.
func (n *name) holdings() int {
	count := 0
	for i := range n.questions {
		count += len(n.questions[i].holdings)
	}
	return count
}

// noteLimit remembers that an answer brought too many addresses, until it expires.
func (b *Book) noteLimit(n *name, count int, expires instant) {
	if count == 0 {
		return
	}
	b.evicted += uint64(count)
	n.limited = max(n.limited, expires)
}
