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
	for o := range m.wanters(n) {
		longest = max(longest, m.owners[o].retention)
	}
	return longest
}

// wanters are the owners that want n and do not wait for room.
func (m *model) wanters(n Subject) map[Owner]fqdn.Pattern {
	all := map[Owner]fqdn.Pattern{}
	for o, w := range m.owners {
		for _, p := range w.patterns {
			if !w.waits[p] && m.pool(w.view, p) == n {
				all[o] = p
			}
		}
	}
	return all
}

// prune makes it part of history that addresses went by the present retentions.
func (m *model) prune(n Subject, now time.Time) {
	m.touched[n] = now
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
	clear(m.admitted)
	old := m.owners[o]
	if old == nil {
		old = &modelOwner{view: wants.View}
	}
	next, fresh := m.listOf(old, wants, now)
	same := slices.Equal(old.patterns, next.patterns) && old.view == next.view && old.retention == next.retention
	if same && m.owners[o] != nil {
		return
	}
	joined := slices.DeleteFunc(slices.Clone(old.patterns), func(p fqdn.Pattern) bool { return old.waits[p] })
	m.pruneAll(old.view, joined, now)
	m.pruneAll(next.view, next.patterns, now)
	m.owners[o] = next
	m.waiting = slices.DeleteFunc(m.waiting, func(x modelWait) bool { return x.owner == o && (fresh[x.pattern] || !next.waits[x.pattern]) })
	m.dropUnwanted()
	for _, p := range next.patterns {
		limit := NoLimit
		if fresh[p] {
			limit = m.tryJoin(o, p)
		}
		switch joined := fresh[p] && limit == NoLimit; {
		case limit != NoLimit:
			next.limits[p] = limit
			m.waiting = append(m.waiting, modelWait{o, p})
		case joined || old.retention != next.retention && !next.waits[p]:
			m.gains(modelWait{o, p}, len(m.distinct(m.pool(next.view, p))) > 0)
		}
	}
	m.dropServices()
	m.admit(o.Tenant())
}

// listOf is what an owner wants next: all that is fresh waits at first.
func (m *model) listOf(old *modelOwner, wants Wants, now time.Time) (next *modelOwner, fresh map[fqdn.Pattern]bool) {
	next = &modelOwner{since: map[fqdn.Pattern]time.Time{}, waits: map[fqdn.Pattern]bool{}, limits: map[fqdn.Pattern]Limit{},
		view: wants.View, retention: m.options.Retention}
	if wants.Retention != nil {
		next.retention = *wants.Retention
	}
	fresh = map[fqdn.Pattern]bool{}
	for _, p := range wants.Patterns {
		if _, again := next.since[p]; again {
			continue
		}
		next.patterns = append(next.patterns, p)
		since, listed := old.since[p]
		if !listed {
			since = now
		}
		next.since[p] = since
		fresh[p] = !listed || m.pool(old.view, p) != m.pool(next.view, p)
		next.waits[p], next.limits[p] = fresh[p] || old.waits[p], old.limits[p]
	}
	return next, fresh
}

// tryJoin lets an owner want a pattern unless its tenant has too many, or lists them too often.
func (m *model) tryJoin(o Owner, p fqdn.Pattern) Limit {
	w := m.owners[o]
	n := m.pool(w.view, p)
	listed := m.listedBy(o.Tenant())
	switch {
	case m.listings(o.Tenant()) >= m.options.MaxListingsPerTenant:
		return ListingsPerTenant
	case !listed[n] && len(listed) >= m.options.MaxNamesPerTenant:
		return NamesPerTenant
	}
	w.waits[p] = false
	if !m.wanted(n) {
		m.history[n] = []event{}
	}
	return NoLimit
}

// listedBy is what the owners of a tenant want.
func (m *model) listedBy(t Tenant) map[Subject]bool {
	listed := map[Subject]bool{}
	for n := range m.history {
		for o := range m.wanters(n) {
			if o.Tenant() == t {
				listed[n] = true
			}
		}
	}
	return listed
}

// listings is how many patterns of a tenant do not wait for room.
func (m *model) listings(t Tenant) (count int) {
	for o, w := range m.owners {
		for _, p := range w.patterns {
			if o.Tenant() == t && !w.waits[p] {
				count++
			}
		}
	}
	return count
}

// admit lets in who waits: what is known anyway, and then one after the other.
func (m *model) admit(t Tenant) {
	let := func(x modelWait) bool {
		if x.owner.Tenant() != t || m.tryJoin(x.owner, x.pattern) != NoLimit {
			return false
		}
		m.admitted[x.owner] = 1
		m.gains(x, len(m.distinct(m.pool(m.owners[x.owner].view, x.pattern))) > 0)
		return true
	}
	for another := true; another; {
		m.waiting = slices.DeleteFunc(m.waiting, func(x modelWait) bool {
			return m.wanted(m.pool(m.owners[x.owner].view, x.pattern)) && let(x)
		})
		first := slices.IndexFunc(m.waiting, func(x modelWait) bool { return x.owner.Tenant() == t })
		if another = first >= 0 && let(m.waiting[first]); another {
			m.waiting = slices.Delete(m.waiting, first, first+1)
		}
	}
}

func (m *model) pruneAll(v View, ps []fqdn.Pattern, now time.Time) {
	for _, p := range ps {
		if n := m.pool(v, p); m.wanted(n) {
			m.prune(n, now)
		}
	}
}

func (m *model) forget(o Owner) {
	clear(m.admitted)
	if m.owners[o] == nil {
		return
	}
	delete(m.owners, o)
	delete(m.sick, o)
	m.waiting = slices.DeleteFunc(m.waiting, func(x modelWait) bool { return x.owner == o })
	m.dropUnwanted()
	m.dropServices()
	m.admit(o.Tenant())
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
	for n := range m.history {
		somebody[n] = len(m.wanters(n)) > 0
	}
	maps.DeleteFunc(m.lacks, func(x modelWait, _ bool) bool {
		w := m.owners[x.owner]
		return w == nil || !slices.Contains(w.patterns, x.pattern)
	})
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
	addrs = m.withinTenants(k.Subject(), addrs, modelMark{limit: AddressesPerTenant, at: now, expires: expires}, func(f fact) bool {
		kept := f.stays && f.key != k || f.told && f.bound.After(now)
		return !kept && !slices.Contains(a.Addrs, f.addr)
	})
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
		if slices.Contains(addrs, f.addr) || f.stays && f.key != k || f.told && f.bound.After(mark.at) {
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
			stays[f.addr] = stays[f.addr] || f.stays || f.told && f.bound.After(mark.at)
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

// gains takes note of whether an owner has yet to apply what a pattern has; no ticket has named it for that.
func (m *model) gains(x modelWait, something bool) {
	m.lacks[x] = something
	delete(m.named, x)
}

// distinct are the addresses that are known of a pattern.
func (m *model) distinct(n Subject) map[netip.Addr]bool {
	distinct := map[netip.Addr]bool{}
	for _, f := range m.facts(n) {
		distinct[f.addr] = true
	}
	return distinct
}

// keptFor is for how long the owners of a tenant keep addresses of a name, the longest of them.
func (m *model) keptFor(n Subject, t Tenant) time.Duration {
	longest := time.Duration(0)
	for o := range m.wanters(n) {
		if o.Tenant() == t {
			longest = max(longest, m.owners[o].retention)
		}
	}
	return longest
}

// charge is how many addresses of a name a tenant pays for: what its owner lists that keeps them for longest, when the name was
// looked at last.
func (m *model) charge(n Subject, t Tenant) int {
	return len(m.addresses(m.facts(n), m.keptFor(n, t), m.touched[n]))
}

func (m *model) charges(t Tenant) (sum int) {
	for n := range m.listedBy(t) {
		sum += m.charge(n, t)
	}
	return sum
}

// withinTenants makes room for new addresses in the tenants that list the pattern. If none has room for all, one of them gives
// away what may go of what it lists, and the highest of the new ones that this is not enough for are left out.
func (m *model) withinTenants(n Subject, addrs []netip.Addr, mark modelMark, may func(fact) bool) []netip.Addr {
	known := m.distinct(n)
	comes := len(slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return known[a] }))
	room, gives, kept, most := -1<<20, 0, time.Duration(0), 0
	for o := range m.wanters(n) {
		t := o.Tenant()
		r, k := m.options.MaxAddressesPerTenant-m.charges(t), m.keptFor(n, t)
		g := len(m.givable(n, k, mark.at, may))
		if c := cmp.Or(cmp.Compare(min(r+g, comes), min(room+gives, comes)), cmp.Compare(min(r, comes), min(room, comes)), cmp.Compare(k, kept)); c > 0 {
			room, gives, kept = r, g, k
		}
		most = max(most, min(r, comes))
	}
	if min(room+gives, comes) <= most {
		room, gives = most, 0
	}
	for room < comes && gives > 0 {
		m.giveUp(n, m.givable(n, kept, mark.at, may), mark)
		room, gives = room+1, gives-1
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool {
		if known[a] {
			return false
		}
		if room--; room < 0 {
			m.mark(n, mark)
		}
		return room < 0
	})
}

// givable are the addresses that may go, all that is known of each, of those that are listed with a retention.
func (m *model) givable(n Subject, retention time.Duration, now time.Time, may func(fact) bool) map[netip.Addr][]fact {
	byAddr := map[netip.Addr][]fact{}
	for _, f := range m.facts(n) {
		byAddr[f.addr] = append(byAddr[f.addr], f)
	}
	maps.DeleteFunc(byAddr, func(_ netip.Addr, fs []fact) bool {
		return len(m.addresses(fs, retention, now)) == 0 || slices.ContainsFunc(fs, func(f fact) bool { return !may(f) })
	})
	return byAddr
}

// giveUp drops the address among them that was answered longest ago, of equals the highest.
func (m *model) giveUp(n Subject, among map[netip.Addr][]fact, mark modelMark) {
	seen := func(a netip.Addr) (last time.Time) {
		for _, f := range among[a] {
			last = later(last, f.seen)
		}
		return last
	}
	victim := slices.MinFunc(slices.Collect(maps.Keys(among)), func(a, b netip.Addr) int {
		return cmp.Or(seen(a).Compare(seen(b)), b.Compare(a))
	})
	mark.gone = among[victim]
	for _, f := range mark.gone {
		m.append(n, event{what: "drop", key: f.key, addrs: []netip.Addr{victim}})
	}
	m.mark(n, mark)
}

// observe is what a pod was told. It returns the owners that have yet to apply some of what the patterns gained, when gained
// was called.
func (m *model) observe(n fqdn.Name, f Family, addrs []netip.Addr, ttl time.Duration, now time.Time) {
	if !m.asked[f] || len(addrs) == 0 {
		return
	}
	expires := now.Add(min(max(ttl, 0), m.options.MaxStale))
	for _, about := range m.matching(n) {
		m.prune(about, now)
		k := Key{View: about.View, Name: about.Name, Family: f, Source: Overheard}
		as := slices.Compact(slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare))
		past := func(f fact) bool { return !f.stays && !f.bound.After(now) && !slices.Contains(addrs, f.addr) }
		as = m.withinTenants(about, as, modelMark{limit: AddressesPerTenant, at: now, expires: expires}, past)
		as = m.makeRoom(about, as, modelMark{limit: AddressesPerName, at: now, expires: expires}, past)
		m.append(about, event{what: "told", key: k, at: now, addrs: as, expires: expires})
		m.forgetRetired(about)
	}
}

// matching are the patterns that an answer for a name is for, wildcards first.
func (m *model) matching(n fqdn.Name) []Subject {
	var all []Subject
	for about := range m.history {
		if p, err := fqdn.ParsePattern(string(about.View)); about.Name == (fqdn.Name{}) && err == nil && p.Matches(n) {
			all = append(all, about)
		}
	}
	if m.wanted(Subject{Name: n}) {
		all = append(all, Subject{Name: n})
	}
	return all
}

// makeRoom lets go what is past its time for what comes, the least recently told first, and leaves out the highest of what
// there is no room for.
func (m *model) makeRoom(n Subject, addrs []netip.Addr, mark modelMark, past func(fact) bool) []netip.Addr {
	for {
		known := m.distinct(n)
		comes := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return known[a] })
		if len(known)+len(comes) <= m.options.MaxAddressesPerName {
			return addrs
		}
		if gives := m.givable(n, m.longest(n), mark.at, past); len(gives) > 0 {
			m.giveUp(n, gives, mark)
		} else {
			highest := comes[len(comes)-1]
			addrs = slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a == highest })
			m.mark(n, mark)
		}
	}
}

// owed are what healthy owners have yet to apply of what the patterns for a name gained.
func (m *model) owed(n fqdn.Name) []modelWait {
	var owed []modelWait
	for _, about := range m.matching(n) {
		for o, p := range m.wanters(about) {
			if x := (modelWait{o, p}); m.lacks[x] && !m.sick[o] {
				owed = append(owed, x)
			}
		}
	}
	return owed
}
