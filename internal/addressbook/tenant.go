// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/fqdn-egress/fqdn-egress/internal/room"
)

// Tenant is who shares what is scarce: a namespace. All cluster-wide policies together are one, the empty one.
type Tenant string

// Tenant returns the tenant that an owner belongs to.
func (o Owner) Tenant() Tenant { return Tenant(o.Namespace) }

// Limit is what kept something out of a PatternState.
type Limit uint8

// The limits. Where several hold something back, the first of those of addresses is told, and of those of names the one of listings.
const (
	// NoLimit: nothing was held back.
	NoLimit Limit = iota
	// NamesPerTenant: the owner's tenant lists more than MaxNamesPerTenant names, and this one waits for room.
	NamesPerTenant
	// NamesOfProcess: all tenants list more than MaxNames names, and this one waits for room.
	NamesOfProcess
	// ListingsPerTenant: the owners of the tenant list names more than MaxListingsPerTenant times, and this one waits for room.
	ListingsPerTenant
	// ListingsOfProcess: all owners list names more than MaxListings times, and this one waits for room.
	ListingsOfProcess
	// AddressesPerName: the name has more than MaxAddressesPerName addresses, and some of those that this owner would see are left out.
	AddressesPerName
	// AddressesPerTenant: every tenant that lists the name has MaxAddressesPerTenant addresses; what was only retained went for new
	// ones, and if that was not enough the name got none.
	AddressesPerTenant
	// AddressesOfProcess: the same, because all names together have MaxAddresses addresses.
	AddressesOfProcess

	// CapturesPerTenant: the rotations of the tenant's names remember as many addresses as they may. It is in no PatternState: what comes of it
	// for a name is in its Rotation.
	CapturesPerTenant

	limits = int(CapturesPerTenant) + 1
)

// Shared tells whether the limit is of all names of a tenant or of the process, not of the name alone.
func (l Limit) Shared() bool { return l != NoLimit && l != AddressesPerName }

// tenant is what one Tenant has of what is bounded.
type tenant struct {
	Tenant
	book *Book

	names     atomic.Int64 // distinct patterns that its owners list, those that wait for room not among them
	listings  atomic.Int64 // the same, but each as often as it is listed
	addresses atomic.Int64 // of these
	captures  atomic.Int64 // that rotations of these remember

	// Guarded by the Book's lock.
	owners  int
	waiting queue // for room
}

// resize takes note that a name of the tenant has so many addresses more, and its rotations remember so many more.
func (t *tenant) resize(addresses, captures int) {
	o, c := &t.book.options, &t.book.counts
	crosses(t.addresses.Add(int64(addresses)), addresses, o.MaxAddressesPerTenant, &c.full)
	crosses(t.captures.Add(int64(captures)), captures, o.maxCaptures(), &c.fullOfCaptures)
}

// crosses counts a tenant more where a count that grew by so much came to a limit, and one less where it left that.
func crosses(after int64, by, limit int, full *atomic.Int64) {
	switch before := after - int64(by); {
	case before < int64(limit) && after >= int64(limit):
		full.Add(1)
	case before >= int64(limit) && after < int64(limit):
		full.Add(-1)
	}
}

// takesName counts a name more of the tenant; false: it has as many as it may have, and this one is not held.
func (t *tenant) takesName(held bool) bool {
	if t.names.Add(1) > int64(t.book.options.MaxNamesPerTenant) && !held {
		t.names.Add(-1)
		return false
	}
	return true
}

// takesListing counts a listing more of the tenant; false: it has as many as it may have, and this one is not held.
func (t *tenant) takesListing(held bool) bool {
	if t.listings.Add(1) > int64(t.book.options.MaxListingsPerTenant) && !held {
		t.listings.Add(-1)
		return false
	}
	return true
}

// resize takes note of how many addresses the name has now.
func (n *name) resize(size int) {
	n.view.book.counts.addresses.Add(int64(size) - int64(n.size))
	n.size = int32(size)
}

// maxTenants is how many tenants of a subject subscribers are told. Whose turn comes first among 64 comes soon, and a name that
// 10,000 namespaces list costs no more than one of 64.
const maxTenants = 64

// tenants returns the first of the tenants that want the name, sorted.
func (n *name) tenants() []Tenant {
	n.lock()
	defer n.unlock()
	first := n.shares.all()
	first = first[:min(len(first), maxTenants)]
	tenants := make([]Tenant, len(first))
	for i, s := range first {
		tenants[i] = s.tenant.Tenant
	}
	slices.Sort(tenants)
	return tenants
}

// waitingMessage says why a name is not looked up, and what to do.
func (o Options) waitingMessage(l Limit, t Tenant) string {
	whose := fmt.Sprintf("the policies of namespace %s", t)
	if t == "" {
		whose = "the cluster-wide policies"
	}
	switch l {
	case NamesOfProcess:
		return fmt.Sprintf("not looked up: all policies together list more than %d names; take out some that nobody needs", o.MaxNames)
	case ListingsOfProcess:
		return fmt.Sprintf("not looked up: all policies together have more than %d listings, of each name one a policy that lists it; "+
			"one policy may take the place of several that list the same", o.MaxListings)
	case ListingsPerTenant:
		return fmt.Sprintf("not looked up: %s have more than %d listings, of each name one a policy that lists it (ten times --max-names-per-namespace); "+
			"one policy may take the place of several that list the same", whose, o.MaxListingsPerTenant)
	default:
		return fmt.Sprintf("not looked up: %s list more than %d names (--max-names-per-namespace); "+
			"take out some, or a wildcard may stand for several", whose, o.MaxNamesPerTenant)
	}
}

// room is how many more a tenant may have that has so many, of a limit of the process of which all have so many.
func (b *Book) room(limit int, all, has int64) int {
	return room.Left(limit, int(all), int(has), int(b.counts.tenants.Load()))
}

// roomForNames is how many more names a tenant may have by the limit of the process.
func (b *Book) roomForNames(t *tenant) int {
	return b.room(b.options.MaxNames, b.counts.names.Load()+b.counts.wildcards.Load(), t.names.Load())
}

// roomForListings is how many more listings a tenant may have by the limit of the process.
func (b *Book) roomForListings(t *tenant) int {
	return b.room(b.options.MaxListings, b.counts.listings.Load(), t.listings.Load())
}

// mayList tells whether a tenant may have a listing more.
func (b *Book) mayList(t *tenant) bool {
	return t.listings.Load() < int64(b.options.MaxListingsPerTenant) && b.roomForListings(t) > 0
}

// roomForHeldNames is how many more held names there may be, whose they are.
func (b *Book) roomForHeldNames() int {
	return max(b.options.MaxNames-int(b.counts.names.Load()+b.counts.wildcards.Load()), 0)
}
