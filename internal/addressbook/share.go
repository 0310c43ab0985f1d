// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// share is a tenant of which owners want a name. It is charged for the addresses that the owner among them lists which keeps
// addresses the longest: what others keep for longer is theirs to pay. A name with .1 by the last answer and .2 to .9 retained:
//
//	tenant  its owners keep addresses for  is charged for
//	a       5 s                            .1
//	a, too  5 m                            .1, and .8 .9, which answers lack for less than 6 m (see ListedAfterUntil)
//	b       a week                         .1 to .9
type share struct {
	tenant *tenant
	// longest is the group of the longest fixed term of its owners; nil: none of them has one. Of adaptive terms there is one.
	longest         *group
	fixed, adaptive int32 // wants
	held            bool  // one of the wants is
	size, told      int32 // the addresses that it is charged for, and those that the tenant knows of
	captures        int32 // of the name, as far as the tenant knows; each tenant that lists it is charged for all
}

func (s *share) wants() int32 { return s.fixed + s.adaptive }

// untold is how many addresses more the tenant has than it knows of.
func (s *share) untold() int64 { return int64(s.size - s.told) }

// bill is what a tenant is to be told of.
type bill struct {
	tenant              *tenant
	addresses, captures int // more
}

// shareOf returns the place of a tenant among the shares; -1: it has none.
func (n *name) shareOf(t *tenant) int {
	return slices.IndexFunc(n.shares.all(), func(s share) bool { return s.tenant == t })
}

// joinTenant counts a want more of its tenant. told: the first few tenants, which subscribers are told, are others now.
func (n *name) joinTenant(x *want) (told bool) {
	t, g := x.owner.tenant, x.group
	i := n.shareOf(t)
	if i < 0 {
		i = len(n.shares.all())
		n.shares.insert(i, share{tenant: t})
		told = i < maxTenants
	}
	s := &n.shares.all()[i]
	s.held = s.held || x.held
	if g.adaptive {
		s.adaptive++
	} else {
		s.fixed++
		if s.longest == nil || s.longest.retention < g.retention {
			s.longest = g
		}
	}
	return told
}

// leaveTenant counts one less. The last share takes the place of one that goes.
func (n *name) leaveTenant(t *tenant, g *group) (told bool) {
	i := n.shareOf(t)
	s := &n.shares.all()[i]
	if g.adaptive {
		s.adaptive--
	} else {
		s.fixed--
		if s.longest == g {
			s.longest = n.longestOf(s)
		}
	}
	if s.wants() > 0 {
		n.chargeShare(i)
		return false
	}
	t.names.Add(-1)
	t.resize(-int(s.told), -int(s.captures))
	n.shares.swapOut(i)
	return i < maxTenants
}

// longestOf looks for the group of the longest fixed term of a tenant.
func (n *name) longestOf(s *share) *group {
	if s.fixed == 0 {
		return nil
	}
	for _, g := range slices.Backward(n.groups.all()) {
		if !g.adaptive && slices.ContainsFunc(g.wants.all(), func(x *want) bool { return x.owner.tenant == s.tenant }) {
			return g
		}
	}
	return nil
}

// adaptiveGroup returns the group of those that set no retention; nil: there is none.
func (n *name) adaptiveGroup() *group {
	for _, g := range n.groups.all() {
		if g.adaptive {
			return g
		}
	}
	return nil
}

// charge counts what each group lists of us, charges the shares for it, and remembers when that changes by itself.
func (n *name) charge(us unions, at instant) {
	if n.rare.chargedUntil != forever {
		n.rare.chargedUntil = forever
	}
	others := false // the counts of the groups are
	for _, g := range n.groups.all() {
		size := n.countFor(g, us, at)
		others = others || size != g.size
		g.size = size
	}
	n.prunesFrom(n.rare.chargedUntil)
	if others { // a name that rotates within its known pool walks over none of 10,000 shares
		for i := range n.shares.all() {
			n.chargeShare(i)
		}
	}
}

// chargeShare charges a share for what its groups list.
func (n *name) chargeShare(i int) {
	s, size := &n.shares.all()[i], int32(0)
	if s.longest != nil {
		size = s.longest.size
	}
	if s.adaptive > 0 {
		size = max(size, n.adaptiveGroup().size)
	}
	n.billed = n.billed || s.size != size || s.captures != n.rare.captured
	s.size = size
}

// longestGroup returns the group of a share that lists the most.
func (n *name) longestGroup(s *share, at instant) *group {
	if s.adaptive == 0 {
		return s.longest
	}
	g := n.adaptiveGroup()
	if s.longest != nil && n.retentionAt(s.longest.term(), at) >= n.retentionAt(g.term(), at) {
		return s.longest
	}
	return g
}

// countFor counts what a group lists of us.
func (n *name) countFor(g *group, us unions, at instant) (size int32) {
	retention := n.retentionAt(g.term(), at)
	if retention != g.retention {
		n.change().chargedUntil = min(n.rare.chargedUntil, n.rare.rotated.plus(retention))
	}
	for f := range us {
		for i := range us[f] {
			u := &us[f][i]
			if u.stays {
				size++
			} else if gone := u.until(retention).plus(ListedAfterUntil); gone > at {
				size++
				n.change().chargedUntil = min(n.rare.chargedUntil, gone)
			}
		}
	}
	return size
}

// bills returns what the tenants are to be told of, and takes note that they were.
func (n *name) bills() []bill {
	if !n.billed {
		return nil
	}
	n.billed = false
	shares := n.shares.all()
	bills := make([]bill, 0, len(shares))
	for i := range shares {
		if s := &shares[i]; s.size != s.told || s.captures != n.rare.captured {
			bills = append(bills, bill{s.tenant, int(s.untold()), int(n.rare.captured - s.captures)})
			s.told, s.captures = s.size, n.rare.captured
		}
	}
	return bills
}

// changed ends a change of a name that looked so before it: the tenants are charged for what it has now.
func (n *name) changed(before facets, at instant) news {
	after := n.facets(at)
	n.charge(after.union, at)
	defer n.recycle(before.union)
	return n.ownersWhoSee(before, after, at)
}
