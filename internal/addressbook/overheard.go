// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Observe takes an answer that was overheard: the addresses that a pod was told for a name. It adds them to every exact name
// of the zero View and to every wildcard that matches, until the end of ttl and the retention of each owner. It never takes
// away, says nothing of absence, and has no say in the state of an exact name. Addresses of the other family are left out.
//
// The Ticket names the owners that do not have all of them in force yet.
func (b *Book) Observe(n fqdn.Name, f Family, addrs []netip.Addr, ttl time.Duration, now time.Time) Ticket {
	return Ticket{}
}

// Listens tells whether an answer for n would matter: an owner wants it in the zero View, or a wildcard that matches it.
// It takes no lock.
func (b *Book) Listens(n fqdn.Name) bool { return false }
