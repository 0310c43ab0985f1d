// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// ednsWorld is a server with names n0 to n9, and a client whose clock stands still.
type ednsWorld struct {
	*dnstest.Server
	t       *testing.T
	lost    losses
	clock   *clocktesting.FakePassiveClock
	sockets *Sockets
}

func newEDNSWorld(t *testing.T) *ednsWorld {
	t.Helper()
	w := &ednsWorld{Server: dnstest.Start(t), t: t, lost: newLosses(), clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0))}
	w.sockets = w.lost.sockets()
	w.sockets.Clock = w.clock
	for _, name := range numbered("n%d.example.com", 10) {
		w.Set(name, testTTL, "192.0.2.1")
	}
	return w
}

// ask asks for names and returns for each with how many queries with and without EDNS it was answered.
func (w *ednsWorld) ask(names ...string) map[string][2]int {
	w.t.Helper()
	w.ForgetQueries()
	used := map[string][2]int{}
	for _, name := range names {
		got, err := resolveAt(w.t, w.sockets, UDP(w.Addr()), name+".example.com A")
		if err != nil || len(got.Addrs) != 1 {
			w.t.Fatalf("%s: %v, %v", name, got, err)
		}
		var n [2]int
		for _, q := range w.Queries(name + ".example.com") {
			n[map[bool]int{true: 0, false: 1}[q.EDNS]]++
		}
		used[name] = n
	}
	return used
}

func (w *ednsWorld) mustUse(want [2]int, names ...string) {
	w.t.Helper()
	for name, got := range w.ask(names...) {
		if got != want {
			w.t.Errorf("%s took %d queries with EDNS and %d without, want %v", name, got[0], got[1], want)
		}
	}
}

func (w *ednsWorld) later(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

var (
	withEDNS    = [2]int{1, 0}
	withoutEDNS = [2]int{0, 1}
	stepsDown   = [2]int{1, 1}
)

// TestExchange_EDNSIsDropped is what some routers and firewalls do, on the way to a server that does not mind.
func TestExchange_EDNSIsDropped(t *testing.T) {
	for title, fault := range map[string]dnstest.Fault{"dropped": dnstest.DropEDNS(), "refused": dnstest.NoEDNS(dns.RcodeFormatError)} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newEDNSWorld(t)
			w.Break("", w.lost.of(fault))
			w.mustUse(stepsDown, "n0", "n1", "n2")
			w.mustUse(withoutEDNS, "n0", "n1", "n2", "n3", "n4")
			w.later(ednsPause - 1)
			w.mustUse(withoutEDNS, "n0", "n5")
			w.later(1)
			w.mustUse(stepsDown, "n6") // one question tries for all
			w.mustUse(withoutEDNS, "n0", "n5", "n6", "n7")
			w.Heal("") // somebody mends it
			w.later(ednsPause - 1)
			w.mustUse(withoutEDNS, "n0", "n7")
			w.later(1)
			w.mustUse(withEDNS, "n8", "n1", "n9", "n4")
			w.later(ednsPause)
			w.mustUse(withEDNS, "n0", "n6")
		})
	}
}

// TestExchange_ALostPacketIsNotEDNS: the name of a lost packet is asked without EDNS for a while, and no other is.
func TestExchange_ALostPacketIsNotEDNS(t *testing.T) {
	w := newEDNSWorld(t)
	w.mustUse(withEDNS, "n0", "n1")
	for _, name := range []string{"n2", "n3", "n4", "n5", "n6"} { // an overloaded server
		w.Break(name+".example.com", dnstest.First(1, w.lost.of(dnstest.Drop())))
	}
	w.mustUse(stepsDown, "n2", "n3", "n4", "n5", "n6")
	w.mustUse(withEDNS, "n0", "n1", "n7")
	w.mustUse(withoutEDNS, "n2", "n6")
	w.later(ednsPause)
	w.mustUse(withEDNS, "n0", "n2", "n6")
}

// TestExchange_EDNSIsDroppedForOneZone is a forwarder that answers for itself, and passes on over a way that drops EDNS.
func TestExchange_EDNSIsDroppedForOneZone(t *testing.T) {
	w := newEDNSWorld(t)
	dropping := []string{"n0", "n1", "n2", "n3", "n4", "n5"}
	for _, name := range dropping {
		w.Break(name+".example.com", w.lost.of(dnstest.DropEDNS()))
	}
	w.mustUse(withEDNS, "n9")
	w.mustUse(stepsDown, dropping...)
	w.mustUse(withEDNS, "n9", "n8")
	w.mustUse(withoutEDNS, dropping...)
}

// TestExchange_DeadServerIsNotEDNS: where nothing is answered, nothing is learned.
func TestExchange_DeadServerIsNotEDNS(t *testing.T) {
	w := newEDNSWorld(t)
	w.Break("", w.lost.of(dnstest.Drop()))
	for _, name := range numbered("n%d.example.com", 10) {
		if got, err := resolveAt(t, w.sockets, UDP(w.Addr()), name+" A"); ReasonOf(err) != ReasonTimeout {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	w.Heal("")
	w.mustUse(withEDNS, "n0", "n1")
}

// TestEDNSMemory_IsBounded: upstreams and questions come and go for months.
func TestEDNSMemory_IsBounded(t *testing.T) {
	var m ednsMemory
	now, q := time.Unix(0, 0), questionFor(t, "www.example.com A")
	upstream := func(i int) Upstream {
		return UDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 53))
	}
	for i := range 3 * maxEDNSQuestions {
		m.refused(upstream(i), q, now)
		m.answered(upstream(i+1<<20), q, now)
		if len(m.questions) > maxEDNSQuestions || len(m.servers) > maxEDNSServers {
			t.Fatalf("%d questions and %d servers are remembered", len(m.questions), len(m.servers))
		}
	}
	if m.wanted(upstream(3*maxEDNSQuestions-1), q, now) {
		t.Error("the last one is forgotten")
	}
}
