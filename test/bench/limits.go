// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/fqdn-egress/fqdn-egress/internal/addressbook"

// cost is what the controller's heap holds for one of each, in bytes.
type cost struct {
	empty    float64 // the process without policies
	policy   float64 // with its target, its status and its NetworkPolicy, without names
	name     float64 // with an address and a question in each family
	address  float64 // one more of a name, in one policy
	question float64 // one more of a name, to one more server that says the same
}

// costs are what the memory of the Deployment is reckoned with: what the scenarios memory and scale measured, rounded up.
func costs() cost {
	return cost{empty: 6 << 20, policy: 9500, name: 3100, address: 300, question: 450}
}

// aims are what the scenario memory holds its figures against.
func aims() cost { return cost{policy: 6 << 10, name: 1536, address: 300, question: 450} }

// load is what a process may have to hold.
type load struct{ policies, names, addresses, questions int }

// everyLimit is all that the limits of the process allow, together. Policies have none: 10,000 are what is measured. The questions are
// those to the endpoints of the cluster's DNS, see maxClusterQuestions of the resolver.
func everyLimit() load {
	return load{policies: 10_000, names: addressbook.DefaultMaxNames, addresses: addressbook.DefaultMaxAddresses, questions: 400_000}
}

// heap is what a load takes. Two addresses and two questions of each name are in the cost of the name.
func (c cost) heap(l load) float64 {
	addresses, questions := max(l.addresses-2*l.names, 0), max(l.questions-2*l.names, 0)
	return c.empty + c.policy*float64(l.policies) + c.name*float64(l.names) + c.address*float64(addresses) + c.question*float64(questions)
}
