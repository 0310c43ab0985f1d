// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/fqdn-egress/fqdn-egress/controllers/when"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// firstWriteAt returns until when the first write waits for the names: to apply a policy to running pods must not cut them
// off from hosts that only take a moment to resolve. Zero: it does not wait. A restart has nothing to wait for, unless
// the spec got rules meanwhile for which nothing was carried: other ports of the same names, for one.
//
//	all names are answered        it does not wait
//	there is a server to ask      until 2 s after each name was wanted, or after the server was there
//	there is none                 until 30 s after the policy was created (a crash loop does not renew that), or the first
//	                              name was wanted, if the API server's clock is ahead of ours
func firstWriteAt(s *situation) time.Time {
	if s.memory.written.generation != 0 && len(s.owned()) > 0 {
		return time.Time{}
	}
	at := namesDueAt(s.snapshot, FirstWriteWait)
	if at.IsZero() || len(s.owned()) > 0 && s.memory.carried.rules.Covers(s.rules()) {
		return time.Time{}
	}
	limit := when.Earliest(s.policy.CreationTimestamp.Add(UnservedWait), at.Add(UnservedWait-FirstWriteWait))
	served := limit
	if !s.memory.servedAt.IsZero() {
		served = when.Earliest(s.memory.servedAt.Add(FirstWriteWait), limit)
	}
	if served.After(at) {
		return served
	}
	return at
}

// namesDueAt returns when names that were not answered yet were wanted for so long. Zero: all are answered.
func namesDueAt(s addressbook.Snapshot, wait time.Duration) time.Time {
	var at time.Time
	for _, e := range s.Patterns {
		if _, exact := e.Pattern.Exact(); !exact || !e.Answered.IsZero() {
			continue
		}
		if end := e.Wanted.Add(wait); end.After(at) {
			at = end
		}
	}
	return at
}
