// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// absence is an answer without addresses that its message does not prove: an alias alone, or nothing at all. Many servers
// mean NODATA by it. CoreDNS answers so for AAAA of an ExternalName with IPv4 addresses alone (plugin kubernetes), of an alias
// in a zone file, of a host in its plugin hosts, and from a template without an authority section. But a server that lost its zone,
// its forwarders or recursion says the same of every name, and then all that was known must stay.
//
// The two are told apart by the other family of the name at the same upstream: a server that has lost the name has no
// addresses in either family.
type absence struct {
	dnsmsg.Reading
	sent, answered time.Time
	// until is a second after the end of the other family's entry, as it was known when the absence began. An answer from an
	// entry that ends later is newer than the absence. Zero: the other family had no good answer.
	until time.Duration
	// told: the book knows it as a failure.
	told bool
}

// proof is how far an absence is proven.
type proof uint8

const (
	open    proof = iota // the other family's next answer will tell; until then nothing is said
	proven               // NODATA
	refuted              // a failure
)

// weigh decides how far q's absence is proven, by the other family's query at the same upstream; nil: that family is not asked,
// and the absence is refuted.
//
//	the other family's last word           q's last good answer        proof
//	none yet, or asked again after another -                           open
//	addresses by the end of q's chain      no addresses, or none yet   proven: nothing can be lost
//	the same                               addresses, AAAA             open until that word is from an entry that began after
//	                                                                   the absence did, then proven
//	the same                               addresses, A                refuted
//	addresses by another way, or none      -                           refuted
//	a failure, or an absence               -                           refuted
//
// The third row: a server that just lost the name still has the other family in a cache, and one that has the name back still has
// the absence there. So the proof waits until one of the two is renewed. The fourth row is stricter, because an answer for A goes
// missing far more often than a host gives up IPv4.
func (q *query) weigh(other *query) proof {
	switch {
	case other == nil:
		return refuted
	case !other.good && other.index < 0: // it waits to be asked, or has been
		return open
	case !other.good || other.phase.addrs == noAddrs || !other.passed(q.absence().end()):
		return refuted
	case q.phase.addrs == noAddrs:
		return proven
	case q.family == addressbook.IPv4:
		return refuted
	case q.absence().until > 0 && other.phase.end.to > q.absence().until:
		return proven
	}
	return open
}

// end is the name that the absence is about.
func (a *absence) end() string { return a.Path[len(a.Path)-1] }

// passed tells whether the last good answer's chain went by name.
func (q *query) passed(name string) bool {
	same := func(n string) bool { return strings.EqualFold(n, name) }
	return same(q.question().Host()) || q.path != nil && slices.ContainsFunc(q.path.names, same)
}

// doubt makes an absence of an answer. It follows the one before, unless that is settled.
func (q *query) doubt(res result) *absence {
	a := &absence{Reading: res.Reading, sent: res.sent, answered: res.answered}
	if before := q.absence(); before != nil && !before.told {
		a.until = before.until
	}
	return a
}
