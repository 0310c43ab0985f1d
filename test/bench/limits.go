// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/fqdn-egress/fqdn-egress/internal/addressbook"

// cost is what the controller's heap holds for one of each, in bytes.
type cost struct {
	empty    float64 // a busy process, without policies
	policy   float64 // with its target, its status and its NetworkPolicy, without names
	name     float64 // with an address and a question in each family
	trouble  float64 // what a name takes more once its servers failed and its addresses changed
	listing  float64 // one more policy lists a name
	address  float64 // one more of a name, in one policy
	question float64 // one more of a name, to one more server that says the same
}

// costs are what the memory of the Deployment is reckoned with: what the scenarios memory and scale measured, rounded up. They measure
// names that are well, and addresses that never changed; what the book says that others take at most is used for these.
func costs() cost {
	return cost{
		empty: 8 << 20, policy: 5400, name: 1600, trouble: addressbook.BytesPerTrouble, listing: 950,
		address: addressbook.BytesPerAddress, question: 240,
	}
}

// aims are what the scenario memory holds its figures against.
func aims() cost { return cost{policy: 6 << 10, name: 1536, listing: 950, address: 230, question: 240} }

// load is what a process may have to hold.
type load struct{ policies, names, listings, addresses, questions int }

// everyLimit is all that the limits of the process allow, together. Policies have none: 10,000 are what is measured. The questions are
// those to the endpoints of the cluster's DNS, see maxClusterQuestions of the resolver.
func everyLimit() load {
	return load{
		policies: 10_000, names: addressbook.DefaultMaxNames, listings: addressbook.DefaultMaxListings,
		addresses: addressbook.DefaultMaxAddresses, questions: 400_000,
	}
}

// heap is what a load takes while all names are in trouble. A listing, two addresses and two questions of each name are in the cost of the name.
func (c cost) heap(l load) float64 {
	beyond := func(all, each int) float64 { return float64(max(all-each*l.names, 0)) }
	return c.empty + c.policy*float64(l.policies) + (c.name+c.trouble)*float64(l.names) + c.listing*beyond(l.listings, 1) +
		c.address*beyond(l.addresses, 2) + c.question*beyond(l.questions, 2)
}
