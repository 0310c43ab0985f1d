// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func (m *model) append(n Subject, e event) { m.history[n] = append(m.history[n], e) }

// longest is the longest retention among those who want n.
func (m *model) longest(n Subject) time.Duration {
	var longest time.Duration
	for _, o := range m.owners {
		for _, p := range o.patterns {
			if exact, ok := p.Exact(); ok && (Subject{o.view, exact}) == n {
				longest = max(longest, o.retention)
			}
		}
	}
	return longest
}

// prune makes it part of history that addresses went by the present retentions.
func (m *model) prune(n Subject, now time.Time) {
	for _, f := range m.facts(n) {
		if end, finite := f.end(m.longest(n)); finite && !end.Add(ListedAfterUntil).After(now) {
			m.append(n, event{what: "drop", key: f.key, addrs: []netip.Addr{f.addr}})
		}
	}
	m.limited[n] = slices.DeleteFunc(m.limited[n], func(mark modelMark) bool {
		return !mark.expires.Add(max(m.longest(n), ListedAfterUntil)).After(now)
	})
	m.forgetRetired(n)
}

// forgetRetired drops retired questions that hold nothing and have no say.
func (m *model) forgetRetired(n Subject) {
	holding := map[Key]bool{}
	for _, f := range m.facts(n) {
		holding[f.key] = true
	}
	say := m.speakers(n)
	for _, k := range m.keys(n) {
		if last, retired := m.word(k); (!retired.IsZero() || last.what == "") && !holding[k] && !slices.Contains(say, k) {
			m.append(n, event{what: "forget", key: k})
			m.forgetTrouble(n, func(o Key) bool { return o == k })
		}
	}
}

func (m *model) wanted(n Subject) bool {
	_, ok := m.history[n]
	return ok
}

func (m *model) want(o Owner, wants Wants, now time.Time) {
	if w := m.owners[o]; w != nil {
		m.pruneAll(w.view, w.patterns, now)
	}
	m.pruneAll(wants.View, wants.Patterns, now)
	next := &modelOwner{since: map[fqdn.Pattern]time.Time{}, view: wants.View, retention: m.options.Retention}
	if wants.Retention != nil {
		next.retention = *wants.Retention
	}
	for _, p := range wants.Patterns {
		if _, again := next.since[p]; again {
			continue
		}
		next.patterns = append(next.patterns, p)
		next.since[p] = now
		if w := m.owners[o]; w != nil && !w.since[p].IsZero() {
			next.since[p] = w.since[p]
		}
	}
	m.owners[o] = next
	m.dropUnwanted()
	m.dropServices()
	for _, p := range next.patterns {
		if name, exact := p.Exact(); exact && !m.wanted(Subject{next.view, name}) {
			m.history[Subject{next.view, name}] = []event{}
		}
	}
}

func (m *model) pruneAll(v View, ps []fqdn.Pattern, now time.Time) {
	for _, p := range ps {
		if name, exact := p.Exact(); exact && m.wanted(Subject{v, name}) {
			m.prune(Subject{v, name}, now)
		}
	}
}

func (m *model) forget(o Owner) {
	delete(m.owners, o)
	m.dropUnwanted()
	m.dropServices()
}

func (m *model) setFamilies(asked [2]bool, now time.Time) {
	if asked == m.asked {
		return
	}
	for n := range m.history {
		m.prune(n, now)
		spoken := slices.ContainsFunc(m.speakers(n), func(k Key) bool { return m.asked[k.Family] && asked[k.Family] })
		for _, f := range []Family{IPv4, IPv6} {
			switch {
			case m.asked[f] && !asked[f]:
				m.append(n, event{what: "narrow", key: Key{Family: f}, at: now})
				m.forgetTrouble(n, func(k Key) bool { return k.Family == f })
			case asked[f] && !m.asked[f] && spoken:
				m.append(n, event{what: "join", key: Key{Family: f}, at: now})
			}
		}
		m.forgetRetired(n)
	}
	m.asked = asked
}

func (m *model) serve(v View, sources int) {
	m.served[v] = sources
	m.dropServices()
}

// dropServices forgets who was heard in a view that nobody names and nobody serves.
func (m *model) dropServices() {
	named := map[View]bool{}
	for _, o := range m.owners {
		named[o.view] = true
	}
	maps.DeleteFunc(m.heard, func(v View, _ bool) bool { return v != "" && !named[v] && m.served[v] == 0 })
}

func (m *model) dropUnwanted() {
	somebody := map[Subject]bool{}
	for _, o := range m.owners {
		for _, p := range o.patterns {
			if n, exact := p.Exact(); exact {
				somebody[Subject{o.view, n}] = true
			}
		}
	}
	maps.DeleteFunc(m.history, func(n Subject, _ []event) bool { return !somebody[n] })
	maps.DeleteFunc(m.unrest, func(n Subject, _ *modelUnrest) bool { return !somebody[n] })
	maps.DeleteFunc(m.limited, func(n Subject, _ []modelMark) bool { return !somebody[n] })
}

func (m *model) fail(k Key, reason string, now time.Time) {
	if !m.wanted(k.Subject()) || !m.asked[k.Family] {
		return
	}
	m.prune(k.Subject(), now)
	e := event{what: "fail", key: k, at: now, reason: reason}
	m.watch(k.Subject(), now, func() {
		m.noteFail(e)
		m.append(k.Subject(), e)
	})
	m.forgetRetired(k.Subject())
}

func (m *model) retire(v View, s Source, now time.Time) {
	for n := range m.history {
		known := false
		for _, k := range m.keys(n) {
			last, retired := m.word(k)
			known = known || k.View == v && k.Source == s && last.what != "" && retired.IsZero()
		}
		if known {
			m.prune(n, now)
			m.watch(n, now, func() { m.append(n, event{what: "retire", key: Key{Source: s}, at: now}) })
			m.forgetRetired(n)
		}
	}
}

func (m *model) record(k Key, a Answer, now time.Time) {
	if !m.wanted(k.Subject()) || !m.asked[k.Family] {
		return
	}
	m.prune(k.Subject(), now)
	expires := now.Add(min(max(a.TTL, 0), m.options.MaxStale))
	addrs := m.cut(k, a.Addrs, modelMark{limit: AddressesPerName, at: now, expires: expires})
	outcome := a.Outcome
	if outcome == Good && len(a.Addrs) == 0 {
		outcome = NoData
	}
	m.heard[k.View] = true
	e := event{what: "good", key: k, at: now, outcome: outcome, addrs: addrs, expires: expires}
	m.watch(k.Subject(), now, func() {
		m.noteGood(e, a.TTL)
		m.append(k.Subject(), e)
	})
	m.evict(k.Subject(), modelMark{limit: AddressesPerName, at: now, expires: expires})
	m.forgetRetired(k.Subject())
}

// cut leaves out the highest of the new addresses that do not fit beside the known ones and what others hold.
func (m *model) cut(k Key, addrs []netip.Addr, mark modelMark) []netip.Addr {
	known, taken := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, f := range m.facts(k.Subject()) {
		known[f.addr] = true
		if slices.Contains(addrs, f.addr) || f.stays && f.key != k {
			taken[f.addr] = true
		}
	}
	addrs = slices.Compact(slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare))
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		if !known[a] && len(taken) >= m.options.MaxAddressesPerName {
			m.mark(k.Subject(), mark)
			return true
		}
		taken[a] = true
		return false
	})
}

func (m *model) mark(n Subject, mark modelMark) {
	m.evicted++
	m.limited[n] = append(m.limited[n], mark)
}

// evict drops one address after the other until the name is within its limit.
func (m *model) evict(n Subject, mark modelMark) {
	for {
		seen, stays := map[netip.Addr]time.Time{}, map[netip.Addr]bool{}
		for _, f := range m.facts(n) {
			seen[f.addr] = later(seen[f.addr], f.seen)
			stays[f.addr] = stays[f.addr] || f.stays
		}
		if len(seen) <= m.options.MaxAddressesPerName {
			return
		}
		maps.DeleteFunc(seen, func(a netip.Addr, _ time.Time) bool { return stays[a] })
		victim := slices.MinFunc(slices.Collect(maps.Keys(seen)), func(a, b netip.Addr) int {
			return cmp.Or(seen[a].Compare(seen[b]), b.Compare(a))
		})
		mark.gone = nil
		for _, f := range m.facts(n) {
			if f.addr == victim {
				mark.gone = append(mark.gone, f)
				m.append(n, event{what: "drop", key: f.key, addrs: []netip.Addr{victim}})
			}
		}
		m.mark(n, mark)
	}
}

// wildcards counts the distinct ones that somebody wants.
func (m *model) wildcards() int {
	distinct := map[fqdn.Pattern]bool{}
	for _, o := range m.owners {
		for _, p := range o.patterns {
			if _, exact := p.Exact(); !exact {
				distinct[p] = true
			}
		}
	}
	return len(distinct)
}
