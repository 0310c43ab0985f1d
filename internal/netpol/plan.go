// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Plan is the decision of Compile.
type Plan struct {
	// Steps in order: additions first, across objects too, so that traffic which is allowed both before the first and after
	// the last step is allowed after each. Empty: the live objects are as they should be.
	Steps []Step
	// Objects are the names of the NetworkPolicies after the steps, in order, without those in Conflicts.
	Objects []string
	// Allowed has the addresses that are written for each pattern after the steps, sorted and distinct. A pattern without
	// an address has no entry. An address that the spec lists as an ipBlock in the same rule counts.
	Allowed map[fqdn.Pattern][]netip.Addr
	// CarriedFor has the addresses that are written for each pattern only because they were carried: no answer of this
	// process held it for the pattern yet. Sorted and distinct; a pattern without such an address has no entry. Another
	// pattern may have the same address, in Allowed or here.
	CarriedFor map[fqdn.Pattern][]netip.Addr
	// Carried has the addresses that some rule has only because they were carried and of which nothing says for which
	// pattern: sorted and distinct, over all rules.
	Carried []netip.Addr
	// StillCarried is the part of Input.Carried that can still be of use. It takes the place of Input.Carried once the steps
	// are done. The rest is over for good: a name or a rule that is listed later must not bring back the addresses of another.
	StillCarried Carried
	// AddressCount is the number of distinct addresses in Allowed, CarriedFor and Carried.
	AddressCount int
	// Refused has the addresses that the guard kept out, for each pattern, sorted by address and distinct.
	Refused map[fqdn.Pattern][]Refusal
	// Peers is how many peers the objects have together after the steps, whatever kind they are of.
	Peers int
	// LeftOut is how many peers (address and rule) did not fit into MaxObjects, and NoRoom how many others Input.Room left out.
	LeftOut, NoRoom int
	// Conflicts are the names that we need and a Foreign object has, in order. No step touches them.
	Conflicts []string
	// Next is an instant until which the plan stays the same if the input does; zero: for ever.
	Next time.Time
}

// Refusal is an address that the guard kept out, as the answer had it.
type Refusal struct {
	Addr   netip.Addr
	Reason string
}

// Verb is the kind of a write.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
)

// Step is one write. Steps share no memory with each other or with the Input.
type Step struct {
	Verb Verb
	// Object is complete. For an update it is the live object (its resourceVersion, foreign labels and annotations) with our
	// spec, labels and owner reference; for a delete it is the live object.
	//
	// Rarely one plan updates an object twice, to keep an address allowed that moves between objects. Both steps then have the
	// resourceVersion of Input.Live: whoever carries out the plan puts the one that the first write returned into the second,
	// or stops there and compiles again.
	Object *networkingv1.NetworkPolicy
}

// Size returns how many bytes a step writes, as the API server stores them (protobuf): for budgets. It leaves out the
// metadata that the API server adds to a new object, some 500 bytes. 1,000 peers take 23 kB (IPv4) to 48 kB (IPv6), and nearly
// as much again in the annotation, which ends at 64 KiB. A delete writes 0.
func (s Step) Size() int {
	if s.Verb == Delete {
		return 0
	}
	return s.Object.Size()
}
