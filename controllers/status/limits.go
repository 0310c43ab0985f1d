// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// bookLimit is a limit of the book, and how a person is told of it.
type bookLimit struct {
	limit  addressbook.Limit
	metric metrics.Limit
	says   string // after the names
}

// bookLimits lists them, the one that is told first where several hold something back first.
func bookLimits() []bookLimit {
	return []bookLimit{
		{addressbook.NamesPerTenant, metrics.NamesPerNamespace,
			"not asked for, because the policies of this namespace list more names than --max-names-per-namespace: take out some, here or in another policy"},
		{addressbook.NamesOfProcess, metrics.NamesOfProcess,
			"not asked for, because the policies of all namespaces list as many names as the controller can hold"},
		{addressbook.ListingsPerTenant, metrics.ListingsPerNamespace,
			"not asked for, because the policies of this namespace have more listings (each policy that lists a name counts) than ten times --max-names-per-namespace: " +
				"where several list the same names, make them one policy"},
		{addressbook.ListingsOfProcess, metrics.ListingsOfProcess,
			"not asked for, because the policies of all namespaces have as many listings (each policy that lists a name counts) as the controller can hold"},
		{addressbook.AddressesPerName, metrics.AddressesPerName,
			"more addresses than --max-addresses-per-name; the least recently answered are left out"},
		{addressbook.AddressesPerTenant, metrics.AddressesPerNamespace,
			"new addresses are left out, because the names of this namespace have more than --max-addresses-per-namespace: " +
				"use an ipBlock for names with very many"},
		{addressbook.AddressesOfProcess, metrics.AddressesOfProcess,
			"new addresses are left out, because the names of all namespaces have as many as the controller can hold"},
	}
}

// limited is a limit that holds back names of a policy.
type limited struct {
	bookLimit
	names []string
}

// limitsOf returns the limits that hold something back now, in the order of bookLimits.
func limitsOf(names []target.Name) []limited {
	var all []limited
	for _, l := range bookLimits() {
		var held []string
		for i := range names {
			if specialOf(names[i]).Limit == l.limit {
				held = append(held, names[i].Pattern.String())
			}
		}
		if len(held) > 0 {
			all = append(all, limited{l, held})
		}
	}
	return all
}

// limits returns the limits that hold back something of the policy now.
func (f findings) limits() []metrics.Limit {
	var limits []metrics.Limit
	if f.result.Limit != "" {
		limits = append(limits, f.result.Limit)
	}
	if f.result.LeftOut > 0 {
		limits = append(limits, metrics.PeersPerPolicy)
	}
	if f.result.NoRoom > 0 {
		limits = append(limits, f.result.RoomLimit)
	}
	for _, l := range limitsOf(f.result.Names) {
		limits = append(limits, l.metric)
	}
	if slices.ContainsFunc(f.result.Names, func(n target.Name) bool { return specialOf(n).Rotation.Uncovered == addressbook.Forgotten }) {
		limits = append(limits, metrics.CapturesPerNamespace)
	}
	return limits
}

// noRoom says of a limit of peers what a person can do about it.
func noRoom(limit metrics.Limit) string {
	const advice = ": where several policies list the same names, make them one, or use an ipBlock for names with very many addresses"
	if limit == metrics.PeersOfProcess {
		return "the NetworkPolicies of all namespaces have as many peers as the controller can hold" + advice
	}
	return "the NetworkPolicies of this namespace have as many peers as --max-peers-per-namespace allows" + advice
}

// heldBack says of a limit of writes what a person can do about it.
func heldBack(limit metrics.Limit) string {
	switch limit {
	case metrics.WriteBudget:
		return "What is written waits: the addresses of this policy change faster than its NetworkPolicies may be written. Split the policy, or use an ipBlock"
	case metrics.BytesPerNamespace:
		return "What is written waits for its turn: the policies of this namespace have more to write than its share. " +
			"List fewer names whose addresses never rest, or use an ipBlock for them"
	case metrics.PoolBytesPerNamespace:
		return "What is written for wildcards and names with very many addresses waits for its turn: those of this namespace have more to write " +
			"than its share. Use an ipBlock for some of them"
	case metrics.BytesOfProcess:
		return "What is written waits for its turn: the controller writes as much as it may in all, and this namespace has used much of its share. " +
			"List fewer names whose addresses never rest, or use an ipBlock for them"
	default:
		return "What is written waits for its turn"
	}
}
