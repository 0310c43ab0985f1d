// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"container/heap"
	"container/list"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/room"
)

// The defaults of Options. The memory of the process decides: see limits.go in test/bench.
const (
	DefaultMaxPeersPerTenant = 100_000
	DefaultMaxPeers          = 600_000
)

// peerCounts has how many peers the generated NetworkPolicies have, of each tenant and in all. The API server and the cache of the
// process hold every one of them, so they are bounded: 400 policies that list the same 20 names of 1,000 addresses would have eight
// million. A target asks before it compiles how many more it may have, takes them before it writes, and settles after that. With a limit
// of 100 for a tenant:
//
//	the tenant has  a target has  it needs  it may have more  and then
//	40              10            30        60                it has 30, the tenant 60
//	60              10            90        40                it has 50, the tenant 100, and it waits for room
//	130             50            60        0                 it has 50: after a start with a lower limit nothing shrinks
//
// All that is live at the start of the process counts before the first target is given anything, and whatever else a look finds
// live counts from then on.
//
// Who waits is looked at again when there is room: of the tenants that wait the one that has the fewest peers comes first, within a tenant
// who came first. A tenant has one target at a time looked at so, which then takes what it needs; the next follows when that is settled.
// When anything is settled at most maxAwakened tenants are taken.
//
//	limit 100 in all, less the last fifth  a has  b has  who waits  looked at again
//	a0 of a goes, which had 20             50     10     a1 a2 b1   b1, and a1
//	b1 took what there was                 50     30     a1 a2      nobody: a1 found nothing and waits again
//
// It is safe for concurrent use.
type peerCounts struct {
	perTenant, inAll int // the limits

	mu      sync.Mutex
	begun   bool
	all     int
	tenants map[string]*tenantPeers
	short   shortTenants
	turn    uint64
	awaken  func(Key) // see Reconciler.OnRoom
}

// tenantPeers is what one tenant has: there is one as long as it has targets.
type tenantPeers struct {
	name    string
	has     int
	targets map[Key]targetPeers
	waiting list.List // of Key, first come first
	awake   Key       // that is looked at again because there was room; zero: none is
	since   uint64    // its last turn, or when it began to wait
	place   int       // among shortTenants; notShort: it is not there
}

// targetPeers is what one target has, with what was reserved for a write.
type targetPeers struct {
	has   int
	waits *list.Element // nil: it does not
}

// maxAwakened bounds the work when something is settled. There is no need for more: what those take is settled too.
const maxAwakened = 8

func newPeerCounts(o Options) *peerCounts {
	p := &peerCounts{perTenant: o.MaxPeersPerTenant, inAll: o.MaxPeers, tenants: map[string]*tenantPeers{}, awaken: func(Key) {}}
	if p.perTenant <= 0 {
		p.perTenant = DefaultMaxPeersPerTenant
	}
	if p.inAll <= 0 {
		p.inAll = DefaultMaxPeers
	}
	return p
}

// begin counts what is live, once.
func (p *peerCounts) begin(live func() (map[Key]int, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return nil
	}
	counts, err := live()
	if err != nil {
		return err
	}
	for key, n := range counts {
		p.set(p.tenant(key), key, n)
	}
	p.begun = true
	return nil
}

// peerRoom is how many peers more a target may have, and by which limit.
type peerRoom struct {
	peers int
	limit metrics.Limit
}

// look returns how many peers more than the live ones a target may have.
func (p *peerCounts) look(key Key, live int) peerRoom {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tenant(key)
	p.set(t, key, live)
	return p.room(t)
}

// reserve takes room for so many more peers of a target, or what is left by now, and returns what it took. It must be settled.
func (p *peerCounts) reserve(key Key, more int) peerRoom {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tenant(key)
	taken := p.room(t)
	taken.peers = max(min(taken.peers, more), 0)
	p.set(t, key, t.targets[key].has+taken.peers)
	return taken
}

// settle ends what a look began: the target has so many live peers now. It waits if it is short of room, unless what it was given is not
// live: then something else is in its way, and more room would not help.
func (p *peerCounts) settle(key Key, live int, short bool) {
	p.mu.Lock()
	t := p.tenant(key)
	short = short && live >= t.targets[key].has
	p.set(t, key, live)
	p.wait(t, key, short)
	if t.awake == key {
		t.awake = Key{}
	}
	p.giveTurns(t)
}

// forget gives back what a target has that is gone.
func (p *peerCounts) forget(key Key) {
	p.mu.Lock()
	t := p.tenants[key.Tenant()]
	if t == nil {
		p.mu.Unlock()
		return
	}
	p.set(t, key, 0)
	p.wait(t, key, false)
	delete(t.targets, key)
	if t.awake == key {
		t.awake = Key{}
	}
	if len(t.targets) == 0 {
		delete(p.tenants, t.name)
	}
	p.giveTurns(t)
}

// isAwake tells whether a target is to be looked at because there is room, although nothing else has changed.
func (p *peerCounts) isAwake(key Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tenants[key.Tenant()]
	return t != nil && t.awake == key
}

// giveTurns gives up the lock, and lets those be looked at again for whom there is room now. t is the tenant that changed.
func (p *peerCounts) giveTurns(t *tenantPeers) {
	p.rank(t)
	var awake []Key
	for len(p.short) > 0 && len(awake) < maxAwakened {
		first := p.short[0]
		if p.room(first).peers == 0 {
			break // nor is there any for those that have more
		}
		key := first.waiting.Front().Value.(Key)
		p.wait(first, key, false)
		p.turn++
		first.awake, first.since = key, p.turn
		p.rank(first)
		awake = append(awake, key)
	}
	awaken := p.awaken
	p.mu.Unlock()
	for _, key := range awake {
		awaken(key)
	}
}

// tenant returns that of a target, and makes both at first sight.
func (p *peerCounts) tenant(key Key) *tenantPeers {
	name := key.Tenant()
	t := p.tenants[name]
	if t == nil {
		t = &tenantPeers{name: name, targets: map[Key]targetPeers{}, place: notShort}
		p.tenants[name] = t
	}
	return t
}

// set counts a target with so many peers.
func (p *peerCounts) set(t *tenantPeers, key Key, peers int) {
	of := t.targets[key]
	t.has += peers - of.has
	p.all += peers - of.has
	of.has = peers
	t.targets[key] = of
	p.rank(t)
}

// wait lets a target wait, or not any more. One that waits already keeps its place.
func (p *peerCounts) wait(t *tenantPeers, key Key, waits bool) {
	of := t.targets[key]
	switch {
	case waits && of.waits == nil:
		if t.waiting.Len() == 0 {
			p.turn++
			t.since = p.turn
		}
		of.waits = t.waiting.PushBack(key)
	case !waits && of.waits != nil:
		t.waiting.Remove(of.waits)
		of.waits = nil
	}
	t.targets[key] = of
}

// room is how many peers more a tenant may have.
func (p *peerCounts) room(t *tenantPeers) peerRoom {
	own, process := max(p.perTenant-t.has, 0), room.Left(p.inAll, p.all, t.has, len(p.tenants))
	if process < own {
		return peerRoom{process, metrics.PeersOfProcess}
	}
	return peerRoom{own, metrics.PeersPerNamespace}
}

// rank puts a tenant where it belongs among those that are short, or takes it out.
func (p *peerCounts) rank(t *tenantPeers) {
	isShort := t.waiting.Len() > 0 && t.awake == Key{}
	switch {
	case isShort && t.place == notShort:
		heap.Push(&p.short, t)
	case isShort:
		heap.Fix(&p.short, t.place)
	case t.place != notShort:
		heap.Remove(&p.short, t.place)
	}
}

// peersIn returns how many peers the NetworkPolicies have.
func peersIn(nps []networkingv1.NetworkPolicy) int {
	n := 0
	for i := range nps {
		for j := range nps[i].Spec.Egress {
			n += len(nps[i].Spec.Egress[j].To)
		}
	}
	return n
}
