// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
	"github.com/fqdn-egress/fqdn-egress/test/rules"
	"github.com/fqdn-egress/fqdn-egress/test/tenants"
)

const (
	restlessNames      = 10
	restlessRounds     = 60 // of a second
	restlessNamespaces = 50
	// restlessWrites is what the pace lets through: the first write, a burst of 10, then one in 2 s, also until the last address is
	// written.
	restlessWrites = 1 + 10 + restlessRounds/2 + 5
)

// restless measures names that change each second: how often is written for it, and how late.
func (b *bench) restless(ctx context.Context) ([]figure, error) {
	w := workload{
		policies: b.options.policies, perPolicy: restlessNames, names: restlessNames, namespaces: restlessNamespaces,
		ttl: dnstest.TTL(time.Second),
	}
	var figures []figure
	err := b.during(ctx, w, func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		var err error
		figures, err = t.changeEachSecond(ctx)
		return err
	})
	return figures, err
}

func (t *trial) changeEachSecond(ctx context.Context) ([]figure, error) {
	told := &toldAddresses{at: map[rules.Peer]time.Time{}}
	t.dns.Break("", told.note)
	got := &arrivals{at: map[types.NamespacedName]map[rules.Peer]time.Time{}}
	t.watch.OnAdded(got.note)
	defer t.watch.OnAdded(nil)
	stopProfile := t.startProfile(ctx, "restless", restlessRounds/2*time.Second)
	before := t.watch.Versions()
	bytes, err := tenants.BytesWritten(ctx, t.plane)
	if err != nil {
		return nil, err
	}
	limits, err := t.controller.Metric(ctx, "fqdn_egress_limits_hit_total")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for round := range restlessRounds {
		for k := range restlessNames {
			t.dns.Set(hostName(k), t.workload.ttl, restlessAddress(round, k))
		}
		if err := pause.For(ctx, time.Until(began.Add(time.Duration(round+1)*time.Second))); err != nil {
			return nil, err
		}
	}
	all := told.peers()
	if err := t.awaitPeers(ctx, all); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after := t.watch.Versions()
	var versions []int
	for key, n := range after {
		versions = append(versions, n-before[key])
	}
	slices.Sort(versions)
	lags := got.lags(told)
	written, err := tenants.BytesWritten(ctx, t.plane)
	if err != nil {
		return nil, err
	}
	hits, err := t.controller.Metric(ctx, "fqdn_egress_limits_hit_total")
	if err != nil {
		return nil, err
	}
	const span = "first answer that held an address -> watch brought it; each address and policy"
	return []figure{
		count("writes a policy, p50", versions[len(versions)/2], fmt.Sprintf("%.0f s; %d answers with another address", took.Seconds(), len(all))),
		count("writes a policy, max", versions[len(versions)-1], "first change -> the last address is in every NetworkPolicy").atMost(restlessWrites),
		seconds("lag, p50", lags[len(lags)/2], span),
		seconds("lag, p99", lags[len(lags)*99/100], span),
		seconds("lag, max", lags[len(lags)-1], span),
		{Name: "bytes written", Value: (written - bytes) / took.Seconds() / 1024, Unit: "KiB/s", Span: "bodies of NetworkPolicies and status patches, a second"},
		count("limits hit", int(hits-limits), "fqdn_egress_limits_hit_total: what was held back is said"),
	}, stopProfile()
}

func restlessAddress(round, k int) string {
	return netip.AddrFrom4([4]byte{203, 0, byte(round), byte(k + 1)}).String()
}

// awaitPeers waits until every NetworkPolicy holds all peers.
func (t *trial) awaitPeers(ctx context.Context, peers []rules.Peer) error {
	wants := map[types.NamespacedName][]rules.Peer{}
	for i := range t.workload.policies {
		wants[t.workload.networkPolicy(i)] = peers
	}
	_, err := t.watch.Expect(wants).Await(ctx, patience)
	return err
}

// toldAddresses notes when each address was in an answer first.
type toldAddresses struct {
	mu sync.Mutex
	at map[rules.Peer]time.Time
}

// note is a dnstest.Fault that breaks nothing.
func (a *toldAddresses) note(_ dnstest.Query, r *dnstest.Reply) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rr := range r.Msg.Answer {
		record, ok := rr.(*dns.A)
		if !ok {
			continue
		}
		peer := rules.Peers(tenants.Port, record.A.String())[0]
		if _, again := a.at[peer]; !again {
			a.at[peer] = now
		}
	}
}

func (a *toldAddresses) peers() []rules.Peer {
	a.mu.Lock()
	defer a.mu.Unlock()
	peers := make([]rules.Peer, 0, len(a.at))
	for p := range a.at {
		peers = append(peers, p)
	}
	return peers
}

// arrivals notes when each NetworkPolicy got each address first.
type arrivals struct {
	mu sync.Mutex
	at map[types.NamespacedName]map[rules.Peer]time.Time
}

func (a *arrivals) note(np types.NamespacedName, p rules.Peer, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at[np] == nil {
		a.at[np] = map[rules.Peer]time.Time{}
	}
	if _, again := a.at[np][p]; !again {
		a.at[np][p] = at
	}
}

// lags returns, sorted, how long after it was told each address came to each NetworkPolicy.
func (a *arrivals) lags(told *toldAddresses) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	told.mu.Lock()
	defer told.mu.Unlock()
	var lags []time.Duration
	for _, peers := range a.at {
		for p, at := range peers {
			if first, ok := told.at[p]; ok {
				lags = append(lags, at.Sub(first))
			}
		}
	}
	slices.Sort(lags)
	return lags
}
