// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// cost is what the controller's heap holds for one of each, in bytes.
type cost struct {
	empty    float64 // a busy process, without policies
	policy   float64 // with its target, its status and its NetworkPolicy, without names
	name     float64 // with an address and a question in each family
	trouble  float64 // what a name takes more once its servers failed and its addresses changed
	listing  float64 // one more policy lists a name
	address  float64 // one more of a name, in one policy
	question float64 // one more of a name, to one more server that says the same
	peer     float64 // one more of a NetworkPolicy, for an address that a name has in any case
}

// costs are what the memory of the Deployment is reckoned with: what the scenarios memory and scale measured, rounded up. They measure
// names that are well, and addresses that never changed; what the book says that others take at most is used for these. That of a peer is what
// TestCachedPeersAreSmall in package controllers measures (183 bytes: the block, its text, its places in the annotation and in the status) and
// its place in a target.Result (24). The policies were measured before their peers were counted, which takes 125 bytes of each: a slot of 80 in a
// map that is two thirds full.
func costs() cost {
	return cost{
		empty: 8 << 20, policy: 5550, name: 1600, trouble: addressbook.BytesPerTrouble, listing: 950,
		address: addressbook.BytesPerAddress, question: 240, peer: 210,
	}
}

// aims are what the scenario memory holds its figures against.
func aims() cost { return cost{policy: 6 << 10, name: 1536, listing: 950, address: 230, question: 240} }

// load is what a process may have to hold.
type load struct{ policies, names, listings, addresses, questions, peers int }

// everyLimit is all that the limits of the process allow, together. Policies have none: 10,000 are what is measured. The questions are
// those to the endpoints of the cluster's DNS, see maxClusterQuestions of the resolver.
//
// The limit of peers is what is left then, in round numbers: of 461 MiB the others take 405, and 56 MiB are room for 280,000 peers of 210 bytes
// beside the two of each listing, which are 360,000.
func everyLimit() load {
	return load{
		policies: 10_000, names: addressbook.DefaultMaxNames, listings: addressbook.DefaultMaxListings,
		addresses: addressbook.DefaultMaxAddresses, questions: 400_000, peers: target.DefaultMaxPeers,
	}
}

// heap is what a load takes while all names are in trouble. A listing, two addresses and two questions of each name are in the cost of the name,
// and two peers in that of each listing.
func (c cost) heap(l load) float64 {
	beyond := func(all, each int) float64 { return float64(max(all-each*l.names, 0)) }
	peers := float64(max(l.peers-2*l.listings, 0))
	return c.empty + c.policy*float64(l.policies) + (c.name+c.trouble)*float64(l.names) + c.listing*beyond(l.listings, 1) +
		c.address*beyond(l.addresses, 2) + c.question*beyond(l.questions, 2) + c.peer*peers
}
