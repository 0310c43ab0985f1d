// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Defaults of Input. A new address rewrites the object that gets it: 38 to 89 kB with 1,000 peers and the annotation. The
// objects of a policy hold 100,000 addresses together, as they did when there were 20 of 5,000, so that no policy has to
// leave out an address that it had.
const (
	DefaultMaxPeers   = 1000
	DefaultMaxObjects = 100
)

// Linger is how long an address whose Until has passed stays in its rule, in the hope of a write that happens anyway.
const Linger = 30 * time.Second

// Input is all that Compile looks at. Compile changes none of it and keeps none of it.
type Input struct {
	Policy Policy
	// Names has the known addresses of the names and patterns of the policy, keyed by fqdn.ParsePattern of the spec's text.
	// A pattern without an entry has no addresses and was not answered.
	Names   map[fqdn.Pattern]Name
	Carried Carried
	// MaxStale bounds how long Carried counts after Carried.Since. Zero: Carried counts for nothing.
	MaxStale time.Duration
	// Live has the policy's NetworkPolicies that are Ours or Adoptable, and any Foreign one of a name that we need. Others
	// are passed over.
	Live []networkingv1.NetworkPolicy
	DNS  DNS
	// Guard admits the addresses of answers and Carried. Its AllowedPrivate is taken from the policy.
	Guard Guard
	// MaxPeers is how many peers an object is filled up to; 0: DefaultMaxPeers. An object may have more of those that do not
	// move: the peers of the DNS rule and the ordinary peers of the spec, which all stand in the first object, and those that
	// it got when MaxPeers was larger.
	MaxPeers int
	// MaxObjects is how many objects a policy has at most; 0: DefaultMaxObjects.
	MaxObjects int
	// Room is how many peers more the objects may have together than the live ones have, peers of every kind; nil: any number. Only
	// addresses of names are left out for it, and never so many that fewer are allowed than before.
	Room *int
}

// withDefaults fills in the limits and the guard's private blocks.
func (in Input) withDefaults() Input {
	if in.MaxPeers <= 0 {
		in.MaxPeers = DefaultMaxPeers
	}
	if in.MaxObjects <= 0 {
		in.MaxObjects = DefaultMaxObjects
	}
	in.Guard.AllowedPrivate = in.Policy.AllowedPrivate
	return in
}

// Name has the known addresses of one name or pattern of the policy.
type Name struct {
	Addresses []Address
	// Answered is when it had its first good answer in each family; zero: not yet.
	Answered time.Time
	// Retention is how long its addresses are kept. It says when carried addresses go; the book's own have Until.
	Retention time.Duration
	// Limited: a limit of the tenant or of the process keeps addresses of the name out, or the name itself. So that an answer
	// lacks a carried address is no sign that it is over.
	Limited bool
}

// Address is one address of a name. The fields mean what they mean in addressbook.Address.
type Address struct {
	// Addr is the address as the answer had it; the guard may unwrap it.
	Addr netip.Addr
	// Current: the last good answer of some source holds it. Where objects are full, current addresses come first.
	Current bool
	// Until is when it is due to go; zero: it stays.
	Until time.Time
}
