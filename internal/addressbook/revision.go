// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "context"

// Revision counts changes. That of a Snapshot is of its owner, and grows with every change that wakes the owner. That of an
// Entry changes when the set of its addresses does, and only then; 0: there are none.
type Revision uint64

// Urgency is why OnChange wakes an owner, the most urgent last.
type Urgency uint8

// The urgencies.
const (
	// Other: states, messages, or addresses that went.
	Other Urgency = iota
	// Added: addresses came.
	Added
	// Awaited: addresses came, and a Ticket was given for them.
	Awaited
)

// Ticket is what Observe brought: of each owner that lacked an address, the revision with which it has it. The zero
// Ticket is one that nobody has to wait for.
type Ticket struct{}

// Owners is how many owners lacked an address.
func (t Ticket) Owners() int { return 0 }

// Applied takes note that everything that o's Snapshot of revision r allows is in force: every object that carries it was
// written, or nothing is to be written.
func (b *Book) Applied(o Owner, r Revision) {}

// SetHealthy takes note of whether o's writer can write at all. Await does not wait for an owner that is not healthy. An
// owner is healthy until the contrary is said.
func (b *Book) SetHealthy(o Owner, healthy bool) {}

// Await returns nil once every healthy owner of the ticket has applied its revision, and ctx's error if that ends first. An
// owner that is forgotten, or becomes unhealthy, is not waited for.
func (b *Book) Await(ctx context.Context, t Ticket) error { return nil }
