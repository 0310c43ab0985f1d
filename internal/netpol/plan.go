// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Plan is what Compile decides.
type Plan struct {
	// Steps in order: additions first, across objects too, so that what is allowed both before the first and after the last
	// step is allowed after each. Empty: the live objects are as they should be.
	Steps []Step
	// Objects are the names of the NetworkPolicies after the steps, in order, without those in Conflicts.
	Objects []string
	// Allowed is what is written for each pattern after the steps, sorted and distinct. A pattern without an address has no
	// entry. An address that the spec lists as an ipBlock in the same rule counts.
	Allowed map[fqdn.Pattern][]netip.Addr
	// CarriedFor is what is written for each pattern only because it was carried: no answer of this process held it for the
	// pattern yet. Sorted and distinct; a pattern without such an address has no entry. Another pattern may have the same
	// address, in Allowed or here.
	CarriedFor map[fqdn.Pattern][]netip.Addr
	// Carried is what some rule has only because it was carried and of which nothing says for which pattern, sorted and
	// distinct, over all rules.
	Carried []netip.Addr
	// StillCarried is what of Input.Carried can still be of use: it takes the place of Input.Carried once the steps are done. What is
	// over is over: a name or a rule that is listed later must not bring back what another had.
	StillCarried Carried
	// AddressCount is the number of distinct addresses in Allowed, CarriedFor and Carried.
	AddressCount int
	// Refused is what the guard kept out, for each pattern, sorted by address and distinct.
	Refused map[fqdn.Pattern][]Refusal
	// LeftOut is how many peers (address and rule) did not fit into MaxObjects.
	LeftOut int
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

// Verb is what a Step does.
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
	// Rarely one plan updates an object twice, to keep what moves between objects allowed. Both steps then have the
	// resourceVersion of Input.Live: whoever carries out the plan puts the one that the first write returned into the second,
	// or stops there and compiles again.
	Object *networkingv1.NetworkPolicy
}

// Size returns how many bytes a step writes, as the API server stores them (protobuf): for budgets. It leaves out what the
// API server adds to a new object, some 500 bytes. 1,000 peers take 23 kB (IPv4) to 48 kB (IPv6), and nearly
// as much again in the annotation, which ends at 64 KiB. A delete writes 0.
func (s Step) Size() int {
	if s.Verb == Delete {
		return 0
	}
	return s.Object.Size()
}
