// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package addressbook is the one place where DNS and policies meet: it knows who wants which names, what each
// upstream said about them, and how long each address is kept.
//
// Producers (the resolver; later an observer and a forwarder) read Wanted and call Record, Fail and Retire. The
// controllers call Want, Forget and Snapshot. Neither knows the other.
package addressbook

import (
	"net/netip"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Owner is who wants names: one policy. An empty Namespace is a cluster-wide policy.
type Owner struct{ Kind, Namespace, Name string }

// Source is one producer of answers: one upstream ("10.96.0.10:53", "tcp://192.0.2.1:53"), later "observer", "forwarder".
type Source string

// Family is an address family, and with that the type of a question: A or AAAA.
type Family uint8

// The families.
const (
	IPv4 Family = iota
	IPv6
)

// Key names one question to one source. Each is aged on its own.
type Key struct {
	Name   fqdn.Name
	Family Family
	Source Source
}

// Outcome is what a good answer said.
type Outcome uint8

// The outcomes. All three are good answers (RFC 2308): the absence of a name or of its addresses is knowledge.
const (
	Good Outcome = iota
	NoData
	NXDomain
)

// Answer is a good answer. TTL is the real one (not clamped): the minimum along the CNAME chain, or of a negative
// answer.
type Answer struct {
	Outcome Outcome
	Addrs   []netip.Addr
	TTL     time.Duration
}

// Options sets up a Book. A zero field takes its default.
type Options struct {
	Families            []Family      // the families that are asked; both by default
	Retention           time.Duration // of owners that set none; 5m
	MaxStale            time.Duration // how long errors keep an address beyond its expiry; 24h
	MaxAddressesPerName int           // 1000
}

// State is the state of a pattern; the same words as in the API.
type State string

// The states.
const (
	Pending  State = "Pending"
	Resolved State = "Resolved"
	Stale    State = "Stale"
	NotFound State = "NotFound"
	Failing  State = "Failing"
)

// Address is one address of a name, for one owner.
type Address struct {
	Addr netip.Addr
	// Current: the last good answer of some source holds it.
	Current bool
	// Until is when it goes if nothing changes; zero: it stays (while Current and nothing fails). It may lie up to
	// Linger in the past: the writer decides when a write is worth it.
	Until time.Time
}

// Linger is how long a Snapshot still lists an address after its Until.
const Linger = time.Minute

// Entry is what is known of one pattern of an owner.
type Entry struct {
	Pattern   fqdn.Pattern
	State     State
	Message   string    // for a person; the same facts give the same words; empty when all is well
	Addresses []Address // sorted by Addr, distinct
	// Answered is when the last of the families got its first good answer from any source; zero: not yet.
	Answered time.Time
	// Wanted is when the owner first listed the pattern.
	Wanted time.Time
	// Retention is how long addresses of this entry are kept, for this owner.
	Retention time.Duration
	// Limited: addresses were left out because of MaxAddressesPerName within the last Retention.
	Limited bool
}

// Snapshot is what is known for one owner at one instant.
type Snapshot struct {
	// Entries has one entry for each distinct pattern, in the order in which the owner listed them.
	Entries []Entry
	// Next is the earliest instant at which a Snapshot would differ although nothing was recorded; zero: never.
	Next time.Time
}

// Stats counts what the book holds.
type Stats struct {
	Owners, Patterns, Names, Questions, Addresses int
	// Evicted counts addresses that went because of MaxAddressesPerName, since the start.
	Evicted uint64
}

// Book is safe for concurrent use. Times given to it must come from one clock.
type Book struct{}

// New returns an empty Book.
func New(o Options) *Book { panic("contract: to be written") }

// OnChange sets the function that is called, without a lock held, with each owner whose Snapshot changed by a Record,
// Fail, Retire, that is: an address, a state, a message, Answered, Limited or an Until came or went. It must not block. Call
// it once, before the first Want.
func (b *Book) OnChange(changed func(Owner)) { panic("contract: to be written") }

// Want replaces what o wants. A nil retention means the default. What another owner made known is known at once.
func (b *Book) Want(o Owner, ps []fqdn.Pattern, retention *time.Duration, now time.Time) {
	panic("contract: to be written")
}

// Forget drops o; names that nobody else wants go with all that is known of them.
func (b *Book) Forget(o Owner) { panic("contract: to be written") }

// Wanted returns the exact names that somebody wants, sorted, and a channel that is closed when that set changes.
func (b *Book) Wanted() ([]fqdn.Name, <-chan struct{}) { panic("contract: to be written") }

// Record takes a good answer. An answer for a name that nobody wants is dropped.
func (b *Book) Record(k Key, a Answer, now time.Time) { panic("contract: to be written") }

// Fail takes a failure (reason: "SERVFAIL", "timeout", ...); it removes nothing.
func (b *Book) Fail(k Key, reason string, now time.Time) { panic("contract: to be written") }

// Retire takes a source out that is asked no more: its addresses age by retention once another source has given a
// good answer to the same question (the same name and family); until then MaxStale bounds them.
func (b *Book) Retire(s Source, now time.Time) { panic("contract: to be written") }

// Snapshot returns what is known for o. An unknown owner has no entries.
func (b *Book) Snapshot(o Owner, now time.Time) Snapshot { panic("contract: to be written") }

// Stats counts what the book holds now.
func (b *Book) Stats() Stats { panic("contract: to be written") }
