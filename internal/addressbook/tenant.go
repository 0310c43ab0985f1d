// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// Tenant is who shares what is scarce: a namespace. All cluster-wide policies together are one, the empty one.
type Tenant string

// Tenant returns the tenant that an owner belongs to.
func (o Owner) Tenant() Tenant { return Tenant(o.Namespace) }

// Limit is what kept something out of an Entry.
type Limit uint8

// The limits, the one that is told first where several hold something back.
const (
	// NoLimit: nothing was held back.
	NoLimit Limit = iota
	// NamesPerTenant: the owner's tenant lists more than MaxNamesPerTenant names, and this one waits for room.
	NamesPerTenant
	// NamesOfProcess: all tenants list more than MaxNames names, and this one waits for room.
	NamesOfProcess
	// AddressesPerName: the name has more than MaxAddressesPerName addresses, and some of those that this owner would see are left out.
	AddressesPerName
	// AddressesPerTenant: every tenant that lists the name has MaxAddressesPerTenant addresses, and it got no new ones.
	AddressesPerTenant
	// AddressesOfProcess: all names together have MaxAddresses addresses, and this one got no new ones.
	AddressesOfProcess
)
