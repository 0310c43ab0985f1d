// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package addressbook is the one place where DNS and policies meet: it knows who wants which names, what each
// upstream said about them, and how long each address is kept.
//
// Producers of two kinds tell it what DNS says. One asks (the resolver): it Subscribes to what is wanted and calls Record,
// Fail and Retire; its last good answer is what is true. One overhears (later an observer and a forwarder): it calls Observe and
// Await. The controllers call Want, Forget, Snapshot and Applied. Neither knows the other.
//
// # Where things are
//
//	wants.go join.go                who wants what
//	admission.go queue.go           who waits for room
//	held.go                         who gets its place back after a start
//	book.go name.go                 the calls, and what one does to a name: prune, facets before, learn, facets after, owners who see
//	question.go union.go prune.go   what each source holds, all of them together, and what goes
//	group.go                        the owners of one retention
//	facet.go state.go message.go    what they see
//	sight.go snapshot.go            what a Snapshot lists
//	overheard.go                    answers that were not asked for
//	limit.go room.go marks.go       what is left out, and who is told
//	tenant.go share.go              what a tenant may have, and is charged for
//	rotation.go captures.go         how long a pool needs its addresses kept
//	unrest.go                       what goes back and forth is told once
//	news.go revision.go await.go    whom to wake, and who has it in force
//	subscription.go                 what is wanted, for producers
//	few.go instant.go ip.go         values that take little
//
// # How an address ages
//
// Each question (name, family, source) is aged on its own. An address of a question is
//
//   - current while the last good answer holds it. If the last word is good, it stays; if the last word is a
//     failure, or the source is retired, it stays until MaxStale after that answer expired;
//   - retained from the first good answer that lacks it on, or from the expiry of the last answer that held it if
//     that is later, for the retention of the owner. Failures make that neither longer nor shorter. For an owner that
//     sets none it is as long as the name's rotation needs for addresses to be there when they come back.
//
// A TTL counts for at most MaxStale.
//
// An address that was overheard is current until the end of its TTL, and retained after it.
//
// The addresses of a name are the union of all that; the last holder of an address decides when it goes.
package addressbook

import (
	"net/netip"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Owner is who wants names: one policy. An empty Namespace is a cluster-wide policy.
type Owner struct{ Kind, Namespace, Name string }

// Source is who said something: one upstream ("10.96.0.10:53", "tls://192.0.2.1:853#dns.example.net"), or Overheard. It stands
// in messages for people as it is.
type Source string

// Family is an address family, and with that the type of a question: A or AAAA.
type Family uint8

// The families.
const (
	IPv4 Family = iota
	IPv6
)

// families is the number of families there are.
const families = 2

// Key names one question to one source. Each is aged on its own.
type Key struct {
	View   View
	Name   fqdn.Name
	Family Family
	Source Source
}

// Subject is what the question is about.
func (k Key) Subject() Subject { return Subject{View: k.View, Name: k.Name} }

// Wants is what an owner wants.
type Wants struct {
	// Patterns are the names and wildcards. Repeats and zero Patterns are skipped.
	Patterns []fqdn.Pattern
	// Held are those of Patterns that live rules have addresses of. They are looked at for what the owner lists anew within the
	// first minute after the Book's first Want, and get their places before names that are not held, whichever came first, also
	// beyond MaxNamesPerTenant and MaxListingsPerTenant. See held.go.
	Held []fqdn.Pattern
	// View is who is asked about the names.
	View View
	// Retention is how long addresses stay after the last answer that held them expired. Nil means the Book's, or more
	// where the rotation of a name needs it; negative counts as 0.
	Retention *time.Duration
}

// Outcome is what a good answer said.
type Outcome uint8

// The outcomes. All three are good answers (RFC 2308): the absence of a name or of its addresses is knowledge.
const (
	// Good: there are addresses.
	Good Outcome = iota
	// NoData: the name exists and has no addresses of the family.
	NoData
	// NXDomain: the name does not exist.
	NXDomain
)

// Answer is a good answer.
type Answer struct {
	Outcome Outcome
	// Addrs may be in any order and is not kept. With an Outcome other than Good it is not read; a Good without
	// addresses counts as NoData. Invalid addresses and those of the other family are left out (an IPv4-mapped
	// address counts as IPv6: it comes from an AAAA record).
	Addrs []netip.Addr
	// TTL is the real one, not clamped by the producer; more than MaxStale counts as that: the minimum along the CNAME chain, or of a negative answer (RFC 2308
	// section 5). Negative counts as 0.
	TTL time.Duration
}

// State is the state of a pattern; the same words as in the API.
type State string

// The states of a name. The first that fits is taken. A wildcard is Pending while nothing observes names. While the
// answers to a name go back and forth (see unrest) and addresses of it are kept, it is as if the better ones came last.
const (
	// Pending: a family was neither answered nor failed yet. One that is asked since later than others spoke is not waited for.
	Pending State = "Pending"
	// Stale: the last word of every source for a family was a failure, and addresses of that family are kept.
	Stale State = "Stale"
	// Resolved: a family that some source answers well has current addresses.
	Resolved State = "Resolved"
	// Failing: the last word of every source for a family was a failure, and no address of it is kept.
	Failing State = "Failing"
	// NotFound: NXDOMAIN or NODATA. Retained addresses may be left.
	NotFound State = "NotFound"
)

// Address is one address of a name, for one owner.
type Address struct {
	Addr netip.Addr
	// Current: the last good answer of some source holds it, and its Until by that source has not passed.
	Current bool
	// Until is when it goes if nothing changes; zero: it stays (while Current and nothing fails). It may lie up to
	// ListedAfterUntil in the past: the writer decides when a write is worth it.
	Until time.Time
}

// ListedAfterUntil is how long a Snapshot still lists an address after its Until.
const ListedAfterUntil = time.Minute

// PatternState is what is known of one pattern of an owner.
type PatternState struct {
	Pattern   fqdn.Pattern
	State     State
	Message   string    // for a person; the same facts give the same words; empty when all is well
	Addresses []Address // sorted by Addr, distinct
	// Answered is when the last of the families got its first good answer from any source; zero: not yet.
	Answered time.Time
	// Tried: each of the families was answered well or failed at least once. Never for a wildcard.
	Tried bool
	// Wanted is when the owner first listed the pattern.
	Wanted time.Time
	// Retention is how long addresses of the pattern are kept, for this owner.
	Retention time.Duration
	// Rotation is that of the name; the zero value for a wildcard.
	Rotation Rotation
	// Limit: addresses were left out because of it, and within the last Retention (at least ListedAfterUntil) the answer that
	// brought too many had not expired, so that it does not flap while a big name rotates; or the name itself was.
	Limit Limit
	// Revision changes when the set of Addresses does, and only then; 0: there are none.
	Revision Revision
}

// Rotation is what the answers tell of the pool of addresses that they are drawn from. The zero value: they are not.
type Rotation struct {
	// Rotates: addresses that the answers before had lacked come back, and did within the retention.
	Rotates bool
	// Unseen is about how many addresses of the pool are not kept, most of them because no answer held them yet: see rotation
	// for the estimator.
	Unseen int
	// Uncovered tells why addresses that were seen will be missing when they come back.
	Uncovered Uncovered
}

// Uncovered is why what is kept of a name does not cover the pool that it rotates through.
type Uncovered uint8

// The reasons, the graver ones later.
const (
	// Covered: an address that comes back is there 99 times in 100, or more.
	Covered Uncovered = iota
	// TooSlow: addresses come back after the retention, or the longest one there is.
	TooSlow
	// Forgotten: the rotations of the tenants' names have as many addresses to remember as they may, so that more is not known of
	// this one. See CapturesPerTenant.
	Forgotten
	// TooMany: the pool has more than MaxAddressesPerName.
	TooMany
)

// Snapshot is what is known for one owner at one instant. Its slices are shared with the Book and other Snapshots: do not
// change them.
type Snapshot struct {
	// Revision is the owner's, see Applied.
	Revision Revision
	// Patterns has one for each distinct pattern, in the order in which the owner listed them.
	Patterns []PatternState
	// Next is the earliest instant at which a Snapshot would differ although nothing was recorded, but for addresses
	// that vanish after ListedAfterUntil; zero: never.
	Next time.Time
	// Served is how many sources are asked for the owner's view, see Serve.
	Served int
	// Heard: some source of the owner's view has given a good answer, to any question that was wanted, since the Book was made.
	Heard bool
}
