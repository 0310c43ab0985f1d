// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
)

// Bounds of a status: it is stored as JSON and rewritten whole, and the API server refuses all of one with a single string
// that is longer than its schema allows. TestBoundedStatusFitsTheSchema reads the schema.
const (
	maxListed        = target.MaxListed
	maxListedSum     = 5_000 // addresses listed of one policy
	maxListedAtLeast = 10    // addresses listed of one name, however many names there are
	maxRefused       = target.MaxRefused
	maxNames         = 500
	maxObjects       = 20

	maxMessage       = 1024 // of a condition, a name or an event
	maxReason        = 512  // of a refused address
	maxNameLength    = 253
	maxAddressLength = 64
	maxStateLength   = 64

	// maxNamed is how many names, objects or addresses a message lists before it only counts.
	maxNamed = 3
)

// bound cuts a status to what the API server takes. Everything that goes into a status passes here.
func bound(s *v1alpha1.FQDNEgressPolicyStatus) {
	for i := range s.Conditions {
		s.Conditions[i].Message = shorten(s.Conditions[i].Message, maxMessage)
	}
	s.NetworkPolicies = firstStrings(s.NetworkPolicies, maxObjects, maxNameLength)
	s.FQDNs = s.FQDNs[:min(len(s.FQDNs), maxNames)]
	for i := range s.FQDNs {
		n := &s.FQDNs[i]
		n.FQDN, n.Message = shorten(n.FQDN, maxNameLength), shorten(n.Message, maxMessage)
		n.State = v1alpha1.FQDNState(shorten(string(n.State), maxStateLength))
		n.Addresses = firstStrings(n.Addresses, maxListed, maxAddressLength)
		n.Refused = n.Refused[:min(len(n.Refused), maxRefused)]
		for j := range n.Refused {
			n.Refused[j].Address = shorten(n.Refused[j].Address, maxAddressLength)
			n.Refused[j].Reason = shorten(n.Refused[j].Reason, maxReason)
		}
	}
}

func firstStrings(list []string, most, length int) []string {
	list = list[:min(len(list), most)]
	for i := range list {
		list[i] = shorten(list[i], length)
	}
	return list
}

// shorten cuts s to so many bytes, which are at least as many as the characters that the API server counts.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "..."
}
