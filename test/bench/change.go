// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

const (
	changeTTL = 5 * time.Second
	moves     = 2
	// betweenMoves is more than two TTLs.
	betweenMoves = 12 * time.Second
	// changeProfile is how long the controller is profiled from shortly before the old answer expires.
	changeProfile = 5 * time.Second
)

// change measures how long after the end of the cached TTL a new address is in all NetworkPolicies.
func (b *bench) change(ctx context.Context) ([]figure, error) {
	var all []move
	floor, err := b.betweenFloors(ctx, func() (err error) {
		all, err = b.changes(ctx, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	figures := floor.figures()
	for i, m := range all {
		figures = append(figures, m.figures(i+1, floor, b.options.policies)...)
	}
	return figures, nil
}

// changes moves the shared name of all policies again and again.
func (b *bench) changes(ctx context.Context, counted bool, flags ...string) ([]move, error) {
	w := b.ordinary(dnstest.TTL(changeTTL))
	w.shared = true
	var all []move
	err := b.during(ctx, w, func(t *trial) error {
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		for n := 1; n <= moves; n++ {
			m, err := t.move(ctx, n, counted)
			if err != nil {
				return fmt.Errorf("move %d: %w", n, err)
			}
			all = append(all, m)
			if err := pause.For(ctx, betweenMoves); err != nil {
				return err
			}
		}
		return nil
	}, flags...)
	return all, err
}

// move is one change of the shared name.
type move struct {
	lags   []time.Duration // of the policies, sorted
	asked  time.Duration   // how long after the end of the TTL the question came that got the new address
	writes writes
	// lastWrite is how long after the end of the TTL the API server had answered the last of them.
	lastWrite time.Duration
	silent    []string // policies whose status does not tell of the new address when all is quiet again
}

func (m move) p50() time.Duration { return m.lags[len(m.lags)/2] }
func (m move) max() time.Duration { return m.lags[len(m.lags)-1] }

// move changes the answer while the old one is cached and waits until all NetworkPolicies have the new one.
//
// The DNS server is like a cache (dnstest.CacheLike): it hands the old answer out until TTL seconds after the query that
// made it store it, whoever asks. The controller is the only one that asks, so that query is the controller's last one,
// and nobody could have been told the new address before the end of that TTL.
func (t *trial) move(ctx context.Context, n int, counted bool) (move, error) {
	expires, err := t.afterQuery(ctx)
	if err != nil {
		return move{}, err
	}
	moved, moved6 := n, 0
	if t.options.bothFamilies {
		moved6 = n
	}
	addrs := sharedAddresses(moved, moved6)
	begun, err := t.audit.now()
	if err != nil {
		return move{}, err
	}
	expectation := t.watch.Expect(t.workload.allWant(addrs...))
	t.dns.Set(sharedName, t.workload.ttl, addrs...)

	if err := pause.For(ctx, time.Until(expires)-time.Second); err != nil {
		return move{}, err
	}
	stopProfile := func() error { return nil }
	if counted {
		stopProfile = t.startProfile(ctx, fmt.Sprintf("change-%d", n), changeProfile)
	}
	at, err := expectation.Await(ctx, patience)
	if err != nil {
		return move{}, err
	}
	m := move{asked: t.askedAfter(expires)}
	for _, when := range at {
		m.lags = append(m.lags, when.Sub(expires))
	}
	slices.Sort(m.lags)
	if !counted {
		return m, nil
	}
	if m.silent, err = t.awaitStatuses(ctx, addrs); err != nil {
		return move{}, err
	}
	if m.writes, err = t.audit.since(begun); err != nil {
		return move{}, err
	}
	m.lastWrite = m.writes.last.Sub(expires.Round(0)) // both are of this machine's wall clock
	return m, stopProfile()
}

// statusPatience is how long a status may take to tell of an address that its NetworkPolicy has.
const statusPatience = 30 * time.Second

// awaitStatuses waits until the statuses list the addresses, and then for quiet. It returns the policies whose status
// still does not.
func (t *trial) awaitStatuses(ctx context.Context, addrs []string) ([]string, error) {
	for deadline := time.Now().Add(statusPatience); ; {
		silent, err := t.silentAbout(ctx, addrs)
		if err != nil {
			return nil, err
		}
		if len(silent) == 0 || time.Now().After(deadline) {
			return silent, pause.For(ctx, quiet)
		}
		if err := pause.For(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// silentAbout returns the policies whose status does not list all of these addresses of the shared name.
func (t *trial) silentAbout(ctx context.Context, addrs []string) ([]string, error) {
	list := &v1alpha1.FQDNEgressPolicyList{}
	if err := t.client.List(ctx, list); err != nil {
		return nil, err
	}
	var silent []string
	for _, p := range list.Items {
		tells := slices.ContainsFunc(p.Status.FQDNs, func(s v1alpha1.FQDNStatus) bool {
			return s.FQDN == sharedName && !slices.ContainsFunc(addrs, func(a string) bool { return !slices.Contains(s.Addresses, a) })
		})
		if !tells {
			silent = append(silent, p.Name)
		}
	}
	return silent, nil
}

// families are the types whose address moves.
func (t *trial) families() []uint16 {
	if t.options.bothFamilies {
		return []uint16{typeA, typeAAAA}
	}
	return []uint16{typeA}
}

// afterQuery returns half a second after the shared name was asked for again, so that the old answer is cached for a
// while yet, and the end of its TTL; of the later one when both families move.
func (t *trial) afterQuery(ctx context.Context) (expires time.Time, err error) {
	for _, family := range t.families() {
		if err := t.dns.WaitFor(ctx, t.dns.Count(sharedName, family)+1, sharedName, family); err != nil {
			return time.Time{}, err
		}
	}
	if err := pause.For(ctx, changeTTL/10); err != nil {
		return time.Time{}, err
	}
	for _, family := range t.families() {
		if end := t.lastQuery(family).Add(changeTTL); end.After(expires) {
			expires = end
		}
	}
	return expires, nil
}

// lastQuery returns when the shared name was asked for last.
func (t *trial) lastQuery(family uint16) time.Time {
	queries := t.dns.Queries(sharedName, family)
	return queries[len(queries)-1].At
}

// askedAfter returns how long after an instant the first queries came.
func (t *trial) askedAfter(instant time.Time) time.Duration {
	var latest time.Duration
	for _, family := range t.families() {
		for _, q := range t.dns.Queries(sharedName, family) {
			if after := q.At.Sub(instant); after >= 0 {
				latest = max(latest, after)
				break
			}
		}
	}
	return latest
}

func (m move) figures(n int, f *floor, policies int) []figure {
	update, both := median(f.update).Seconds(), median(f.updateBoth).Seconds()
	const from = "end of the cached TTL -> "
	name := func(s string) string { return fmt.Sprintf("move %d: %s", n, s) }
	return []figure{
		seconds(name("asked"), m.asked, from+"the query that got the new address arrived"),
		seconds(name("lag, first policy"), m.lags[0], from+"watch brought the first NetworkPolicy with the new address"),
		seconds(name("lag, p50"), m.p50(), from+"half of the policies; aim by the floor of NetworkPolicies alone").atMost(0.1 + 0.6*update),
		seconds(name("lag, p50"), m.p50(), "the same; aim by the floor of NetworkPolicies and statuses").atMost(0.1 + 0.6*both),
		seconds(name("lag, max"), m.max(), from+"all policies; aim by the floor of NetworkPolicies alone").atMost(0.2 + 1.3*update),
		seconds(name("lag, max"), m.max(), "the same; aim by the floor of NetworkPolicies and statuses").atMost(0.2 + 1.3*both),
		seconds(name("lag of the last write"), m.lastWrite, from+"the API server answered the controller's last write (audit log)"),
		count(name("API writes"), m.writes.total(), fmt.Sprintf("until %s after the last status; %s", quiet, m.writes)).atMost(float64(2 * policies)),
		count(name("statuses behind"), len(m.silent), "policies whose status lacks the new address then; "+
			strings.Join(m.silent[:min(3, len(m.silent))], ", ")).atMost(0),
	}
}
