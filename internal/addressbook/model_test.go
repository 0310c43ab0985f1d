// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// model is the Book once more, slow and plain: it keeps the whole history of each name and derives everything from it
// anew each time. It shares no code with the Book.
type model struct {
	options Options
	owners  map[Owner]*modelOwner
	history map[fqdn.Name][]event // of the names that somebody wants, since then
	limited map[fqdn.Name]time.Time
	evicted uint64
}

type modelOwner struct {
	patterns  []fqdn.Pattern
	since     map[fqdn.Pattern]time.Time
	retention time.Duration
}

// event is something that happened to a name.
type event struct {
	what    string // good, fail, retire (by source), drop (one address of a question), forget (a question)
	key     Key
	at      time.Time
	outcome Outcome      // good
	addrs   []netip.Addr // good: after the cut; drop: one
	expires time.Time    // good
	reason  string       // fail
}

// fact is one address of one question.
type fact struct {
	key     Key
	addr    netip.Addr
	seen    time.Time // the last answer that held it
	current bool      // no good answer lacks it since
	stays   bool
	from    time.Time // if not current
	bound   time.Time // if current and not stays
}

func later(ts ...time.Time) time.Time { return slices.MaxFunc(ts, time.Time.Compare) }

func (f fact) end(retention time.Duration) (end time.Time, finite bool) {
	switch {
	case f.stays:
		return time.Time{}, false
	case f.current:
		return f.bound, true
	}
	return f.from.Add(retention), true
}

// keys lists the questions that exist.
func (m *model) keys(n fqdn.Name) []Key {
	exist := map[Key]bool{}
	for _, e := range m.history[n] {
		switch e.what {
		case "good", "fail":
			exist[e.key] = true
		case "forget":
			delete(exist, e.key)
		}
	}
	return slices.SortedFunc(maps.Keys(exist), func(a, b Key) int {
		return strings.Compare(fmt.Sprint(a.Family, a.Source), fmt.Sprint(b.Family, b.Source))
	})
}

// word returns the last good answer or failure of a question, and its retirement if it is retired.
func (m *model) word(k Key) (last event, retired time.Time) {
	for _, e := range m.history[k.Name] {
		switch {
		case e.key == k && e.what == "good":
			last, retired = e, time.Time{}
		case e.key == k && e.what == "fail":
			last = e
		case e.key == k && e.what == "forget":
			last, retired = event{}, time.Time{}
		case e.what == "retire" && e.key.Source == k.Source && last.what != "" && retired.IsZero():
			retired = e.at
		}
	}
	return last, retired
}

// facts lists what is known of the addresses of a name, by its whole history.
func (m *model) facts(n fqdn.Name) []fact {
	var all []fact
	for _, k := range m.keys(n) {
		mentioned := map[netip.Addr]bool{}
		for _, e := range m.history[n] {
			if e.key == k {
				for _, a := range e.addrs {
					mentioned[a] = true
				}
			}
		}
		for a := range mentioned {
			if f, ok := m.fact(k, a); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

func (m *model) fact(k Key, a netip.Addr) (fact, bool) {
	h := m.history[k.Name]
	held := -1
	for i, e := range h {
		if e.key == k && slices.Contains(e.addrs, a) {
			held = i
			if e.what == "drop" {
				held = -1
			}
		}
	}
	if held < 0 {
		return fact{}, false
	}
	expires := h[held].expires
	f := fact{key: k, addr: a, seen: h[held].at, current: true}
	var retired time.Time
	for _, e := range h[held+1:] {
		switch {
		case e.what == "good" && e.key == k:
			f.current, f.from = false, later(expires, e.at)
		case e.what == "retire" && e.key.Source == k.Source:
			retired = later(retired, e.at)
		case e.what == "good" && e.key.Family == k.Family && !retired.IsZero():
			f.current, f.from = false, later(expires, retired, e.at)
		}
		if !f.current {
			return f, true
		}
	}
	last, _ := m.word(k)
	f.stays = last.what == "good" && retired.IsZero()
	f.bound = expires.Add(m.options.MaxStale)
	return f, true
}

// longest is the longest retention among those who want n.
func (m *model) longest(n fqdn.Name) time.Duration {
	var longest time.Duration
	for _, o := range m.owners {
		for _, p := range o.patterns {
			if exact, ok := p.Exact(); ok && exact == n {
				longest = max(longest, o.retention)
			}
		}
	}
	return longest
}

// prune makes it part of history that addresses went by the present retentions.
func (m *model) prune(n fqdn.Name, now time.Time) {
	for _, f := range m.facts(n) {
		if end, finite := f.end(m.longest(n)); finite && !end.Add(Linger).After(now) {
			m.append(n, event{what: "drop", key: f.key, addrs: []netip.Addr{f.addr}})
		}
	}
	m.forgetRetired(n)
}

// forgetRetired drops retired questions that hold nothing and have no say.
func (m *model) forgetRetired(n fqdn.Name) {
	holding := map[Key]bool{}
	for _, f := range m.facts(n) {
		holding[f.key] = true
	}
	say := m.speakers(n)
	for _, k := range m.keys(n) {
		if _, retired := m.word(k); !retired.IsZero() && !holding[k] && !slices.Contains(say, k) {
			m.append(n, event{what: "forget", key: k})
		}
	}
}

// speakers are the questions in service, or else those that retired last, of each family.
func (m *model) speakers(n fqdn.Name) []Key {
	var say []Key
	for _, f := range []Family{IPv4, IPv6} {
		var inService, last []Key
		var latest time.Time
		for _, k := range m.keys(n) {
			_, retired := m.word(k)
			switch {
			case k.Family != f:
			case retired.IsZero():
				inService = append(inService, k)
			case retired.After(latest):
				last, latest = []Key{k}, retired
			case retired.Equal(latest):
				last = append(last, k)
			}
		}
		if len(inService) > 0 {
			last = inService
		}
		say = append(say, last...)
	}
	return say
}

func (m *model) append(n fqdn.Name, e event) { m.history[n] = append(m.history[n], e) }

func (m *model) wanted(n fqdn.Name) bool {
	_, ok := m.history[n]
	return ok
}

func (m *model) want(o Owner, ps []fqdn.Pattern, retention *time.Duration, now time.Time) {
	if w := m.owners[o]; w != nil {
		m.pruneAll(w.patterns, now)
	}
	m.pruneAll(ps, now)
	next := &modelOwner{since: map[fqdn.Pattern]time.Time{}, retention: m.options.Retention}
	if retention != nil {
		next.retention = *retention
	}
	for _, p := range ps {
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
	for _, p := range next.patterns {
		if n, exact := p.Exact(); exact && !m.wanted(n) {
			m.history[n] = []event{}
		}
	}
}

func (m *model) pruneAll(ps []fqdn.Pattern, now time.Time) {
	for _, p := range ps {
		if n, exact := p.Exact(); exact && m.wanted(n) {
			m.prune(n, now)
		}
	}
}

func (m *model) forget(o Owner) {
	delete(m.owners, o)
	m.dropUnwanted()
}

func (m *model) dropUnwanted() {
	somebody := map[fqdn.Name]bool{}
	for _, o := range m.owners {
		for _, p := range o.patterns {
			if n, exact := p.Exact(); exact {
				somebody[n] = true
			}
		}
	}
	maps.DeleteFunc(m.history, func(n fqdn.Name, _ []event) bool { return !somebody[n] })
	maps.DeleteFunc(m.limited, func(n fqdn.Name, _ time.Time) bool { return !somebody[n] })
}

func (m *model) fail(k Key, reason string, now time.Time) {
	if !m.wanted(k.Name) {
		return
	}
	m.prune(k.Name, now)
	m.append(k.Name, event{what: "fail", key: k, at: now, reason: reason})
	m.forgetRetired(k.Name)
}

func (m *model) retire(s Source, now time.Time) {
	for n := range m.history {
		known := false
		for _, k := range m.keys(n) {
			_, retired := m.word(k)
			known = known || k.Source == s && retired.IsZero()
		}
		if known {
			m.prune(n, now)
			m.append(n, event{what: "retire", key: Key{Source: s}, at: now})
			m.forgetRetired(n)
		}
	}
}

func (m *model) record(k Key, a Answer, now time.Time) {
	if !m.wanted(k.Name) {
		return
	}
	m.prune(k.Name, now)
	before := m.evicted
	addrs := m.cut(k, a.Addrs)
	outcome := a.Outcome
	if outcome == Good && len(a.Addrs) == 0 {
		outcome = NoData
	}
	expires := now.Add(max(a.TTL, 0))
	m.append(k.Name, event{what: "good", key: k, at: now, outcome: outcome, addrs: addrs, expires: expires})
	m.evict(k.Name)
	if m.evicted > before {
		until := expires
		if bound := now.Add(m.options.MaxStale); bound.Before(until) {
			until = bound
		}
		m.limited[k.Name] = later(m.limited[k.Name], until)
	}
	m.forgetRetired(k.Name)
}

// cut leaves out the highest of the new addresses that do not fit beside the known ones and what others hold.
func (m *model) cut(k Key, addrs []netip.Addr) []netip.Addr {
	known, taken := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, f := range m.facts(k.Name) {
		known[f.addr] = true
		if slices.Contains(addrs, f.addr) || f.stays && f.key != k {
			taken[f.addr] = true
		}
	}
	addrs = slices.Compact(slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare))
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		if !known[a] && len(taken) >= m.options.MaxAddressesPerName {
			m.evicted++
			return true
		}
		taken[a] = true
		return false
	})
}

// evict drops one address after the other until the name is within its limit.
func (m *model) evict(n fqdn.Name) {
	for {
		seen, stays := map[netip.Addr]time.Time{}, map[netip.Addr]bool{}
		for _, f := range m.facts(n) {
			seen[f.addr] = later(seen[f.addr], f.seen)
			stays[f.addr] = stays[f.addr] || f.stays
		}
		if len(seen) <= m.options.MaxAddressesPerName {
			return
		}
		var victim netip.Addr
		for a := range seen {
			if stays[a] {
				continue
			}
			if !victim.IsValid() || seen[a].Before(seen[victim]) || seen[a].Equal(seen[victim]) && victim.Less(a) {
				victim = a
			}
		}
		for _, f := range m.facts(n) {
			if f.addr == victim {
				m.append(n, event{what: "drop", key: f.key, addrs: []netip.Addr{victim}})
			}
		}
		m.evicted++
	}
}
