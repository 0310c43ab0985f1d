// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// Bounds of a Result: there is one for each target, all the time.
const (
	// MaxListed is how many addresses a Result lists of a name, and MaxRefused how many that the guard keeps out.
	MaxListed  = 50
	MaxRefused = 10
)

// Result is what came of the last look at a target, as far as its status tells of it. Nobody changes one that was handed out.
type Result struct {
	// UID and Generation are those of the policy that was looked at.
	UID        types.UID
	Generation int64
	// Waits: the first write waits for the names.
	Waits bool
	// AwaitsTurn: nothing was written for this generation yet, because its turn has not come. The rest is of the generation before.
	AwaitsTurn bool
	// Vanishes: the namespace is being deleted, and the policy goes with it. No status is worth a write.
	Vanishes bool
	// Error is the API server's answer to a write that failed; "": none did.
	Error string
	// Limit is what made writes wait for long, within the last minute or still; "": nothing did.
	Limit metrics.Limit
	// Contested: somebody else, or something, keeps changing what is written. Altered says how the API server's answers
	// differ from what was sent; nil: they do not.
	Contested bool
	Altered   []string
	// Objects are the names of the policy's NetworkPolicies that the API has; Planned those that it should have.
	Objects, Planned []string
	// Conflicts are the names that are needed, and are somebody else's.
	Conflicts []string
	// LeftOut is how many peers do not fit into the NetworkPolicies of one policy.
	LeftOut int
	// NoRoom is how many others are left out because of RoomLimit, a limit on the peers of all policies together.
	NoRoom    int
	RoomLimit metrics.Limit
	// AddressCount is how many distinct addresses the API allows; in mode Audit, how many would be.
	AddressCount int
	// Refused is how many addresses of answers the guard keeps out, over all names.
	Refused int
	// Served and Heard are those of the addressbook.Snapshot that was looked at.
	Served int
	Heard  bool
	// Names has the names and patterns of the policy, in its order.
	Names []Name
}

// Name is what the book said of one name or pattern, and what came of it: both of the same moment.
type Name struct {
	// As in addressbook.PatternState; Answered tells whether it is an instant there.
	Pattern         fqdn.Pattern
	State           addressbook.State
	Answered, Tried bool
	// Carried: what was carried over a start still counts for it.
	Carried bool
	// Holds: the API allows every address that the status listed for it when the target was looked at.
	Holds bool
	// Addresses are the first MaxListed of its addresses that the API allows (in mode Audit: would allow), sorted; there are
	// AddressCount.
	Addresses    []netip.Addr
	AddressCount int
	// Special is nil if all is as ever. 50,000 names that are answered well take 2.5 MB less than with all of it in Name.
	Special *Special
	// Refusals is nil if the guard keeps out none of its addresses.
	Refusals *Refusals
}

// Special is what the book said of few names, as in addressbook.PatternState.
type Special struct {
	Message string
	// Wanted is zero if it does not matter: the name is answered, and servers are asked and heard.
	Wanted   time.Time
	Rotation addressbook.Rotation
	Limit    addressbook.Limit
}

// Refusals is what the guard keeps out of one name.
type Refusals struct {
	// First are the first MaxRefused, sorted by address.
	First []netpol.Refusal
	// All: these are all the addresses that DNS has for the name now, Current of them. Those of earlier answers may be allowed
	// still, but are of no use to a pod that asks today.
	All     bool
	Current []netpol.Refusal // if All: the first MaxRefused of them
	// CurrentCount is how many there are.
	CurrentCount int
}

// Of returns what came of a pattern; the zero Name if the target was not looked at with it.
func (r *Result) Of(p fqdn.Pattern) Name {
	i := slices.IndexFunc(r.Names, func(n Name) bool { return n.Pattern == p })
	if i < 0 {
		return Name{Pattern: p}
	}
	return r.Names[i]
}

// resultOf says what came of a look.
func resultOf(s *situation, done attempt, o Options, now time.Time) Result {
	live := netpol.Live(s.input(o), done.plan, s.live)
	limit, _ := s.memory.pace.limitedBy(now)
	result := Result{
		UID: s.memory.uid, Generation: s.policy.Generation,
		Waits: done.waits, Vanishes: done.vanishes, Limit: limit,
		Contested: s.memory.contest.on(), Altered: s.memory.contest.differences(),
		Objects: live.Objects, Planned: done.plan.Objects, Conflicts: done.plan.Conflicts, LeftOut: done.plan.LeftOut,
		AddressCount: len(live.Addresses),
		Served:       s.snapshot.Served,
		Heard:        s.snapshot.Heard,
		Names:        make([]Name, len(s.snapshot.Patterns)),
	}
	if done.err != nil {
		result.Error = done.err.Error()
	}
	if result.NoRoom = done.plan.NoRoom; result.NoRoom > 0 {
		result.RoomLimit = s.limit
	}
	if s.isAudit() {
		result.AddressCount = done.plan.AddressCount
	}
	if slices.Equal(result.Planned, result.Objects) {
		result.Planned = result.Objects
	}
	told := toldOf(&s.policy.Status)
	for i := range s.snapshot.Patterns {
		e := &s.snapshot.Patterns[i]
		name, refused := &result.Names[i], done.plan.Refused[e.Pattern]
		addresses := live.For[e.Pattern]
		if s.isAudit() {
			addresses = done.plan.Allowed[e.Pattern]
		} else {
			name.Carried = done.plan.StillCarried.Has(e.Pattern)
		}
		name.hear(e, &s.snapshot)
		name.AddressCount = len(addresses)
		name.Addresses = slices.Clone(addresses[:min(len(addresses), MaxListed)])
		name.Holds = s.isAudit() || holds(live.Addresses, told[e.Pattern.String()])
		name.Refusals = refusalsOf(e, refused)
		result.Refused += len(refused)
	}
	return result
}

// hear takes over what the book says, but for the addresses: a Result keeps few of these.
func (n *Name) hear(e *addressbook.PatternState, of *addressbook.Snapshot) {
	n.Pattern, n.State, n.Answered, n.Tried = e.Pattern, e.State, !e.Answered.IsZero(), e.Tried
	special := Special{Message: e.Message, Rotation: e.Rotation, Limit: e.Limit}
	if !n.Answered || n.State == addressbook.Pending || !of.Heard || of.Served == 0 {
		special.Wanted = e.Wanted
	}
	if n.Special = nil; special != (Special{}) {
		n.Special = &special
	}
}

// heard returns r with what the book says now, and what is live as it was.
func (r Result) heard(s addressbook.Snapshot) Result {
	names := make([]Name, len(s.Patterns))
	for i := range s.Patterns {
		names[i] = r.Of(s.Patterns[i].Pattern)
		names[i].hear(&s.Patterns[i], &s)
	}
	r.Names, r.Served, r.Heard = names, s.Served, s.Heard
	return r
}

// toldOf returns the addresses that a status lists, by name.
func toldOf(status *v1alpha1.FQDNEgressPolicyStatus) map[string][]string {
	told := make(map[string][]string, len(status.FQDNs))
	for i := range status.FQDNs {
		told[status.FQDNs[i].FQDN] = status.FQDNs[i].Addresses
	}
	return told
}

// holds tells whether the sorted live addresses have all those that were told.
func holds(live []netip.Addr, told []string) bool {
	for _, s := range told {
		if a, err := netip.ParseAddr(s); err != nil || !contains(live, a) {
			return false
		}
	}
	return true
}

// refusalsOf sums up what the guard keeps out of a name; nil: nothing.
func refusalsOf(e *addressbook.PatternState, refused []netpol.Refusal) *Refusals {
	if len(refused) == 0 {
		return nil
	}
	rs := &Refusals{First: slices.Clone(refused[:min(len(refused), MaxRefused)])}
	for _, a := range e.Addresses {
		if !a.Current {
			continue
		}
		i := slices.IndexFunc(refused, func(r netpol.Refusal) bool { return r.Addr == a.Addr })
		if i < 0 {
			rs.Current, rs.CurrentCount = nil, 0
			return rs
		}
		if rs.CurrentCount++; rs.CurrentCount <= MaxRefused {
			rs.Current = append(rs.Current, refused[i])
		}
	}
	rs.All = rs.CurrentCount > 0
	return rs
}
