// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// slowWrite is how long a write may take before nobody waits for those of this target any more: a webhook that hangs must
// not hold up answers to pods.
const slowWrite = time.Second

// health tells the book whether somebody may wait for what a target writes. The zero value: the target is healthy, as the book
// believes of all until the contrary is said.
//
//	mode Audit, Contested, waits for its turn, a write failed   not healthy until the next look that is none of these
//	a write takes longer than slowWrite                         not healthy from then on, until one is faster
type health struct {
	unhealthy bool // as the book was told
	slow      bool // the last write was
}

// tell tells the book what it does not know yet.
func (h *health) tell(book Book, o addressbook.Owner, healthy bool) {
	if healthy == !h.unhealthy {
		return
	}
	h.unhealthy = !healthy
	book.SetHealthy(o, healthy)
}
