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
	history map[Subject][]event // of the names that somebody wants, since then
	limited map[Subject][]modelMark
	waiting []modelWait // for room, in the order in which they came
	// admitted are the owners of which the last step let a pattern in that waited.
	admitted map[Owner]int
	lacks    map[modelWait]bool    // an owner has not applied what a pattern of it gained
	sick     map[Owner]bool        // it is not healthy
	named    map[modelWait]bool    // a ticket named what it lacks
	touched  map[Subject]time.Time // when a name was looked at last
	evicted  uint64
	served   map[View]int
	heard    map[View]bool
	asked    [2]bool
	unrest   map[Subject]*modelUnrest
}

// modelWait is a pattern of an owner.
type modelWait struct {
	owner   Owner
	pattern fqdn.Pattern
}

// modelMark is one time that a limit bit.
type modelMark struct {
	limit   Limit
	at      time.Time
	expires time.Time // the answer that brought too many
	gone    []fact    // all that was known of an address that went; none: it was never there, for anybody
}

type modelOwner struct {
	patterns  []fqdn.Pattern
	view      View
	since     map[fqdn.Pattern]time.Time
	retention time.Duration
	waits     map[fqdn.Pattern]bool
	limits    map[fqdn.Pattern]Limit // why
}

// event is something that happened to a name.
type event struct {
	what    string // good, fail, retire (by source), drop (one address of a question), forget (a question), narrow and join (by family), told
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
	told    bool      // it was overheard, until bound
}

func later(ts ...time.Time) time.Time { return slices.MaxFunc(ts, time.Time.Compare) }

func (f fact) end(retention time.Duration) (end time.Time, finite bool) {
	switch {
	case f.stays:
		return time.Time{}, false
	case f.told:
		return f.bound.Add(retention), true
	case f.current:
		return f.bound, true
	}
	return f.from.Add(retention), true
}

// keys lists the questions that exist.
func (m *model) keys(n Subject) []Key {
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
	for _, e := range m.history[k.Subject()] {
		switch {
		case e.key == k && e.what == "good":
			last, retired = e, time.Time{}
		case e.key == k && e.what == "fail":
			last = e
		case e.key == k && e.what == "forget":
			last, retired = event{}, time.Time{}
		case e.what == "retire" && e.key.Source == k.Source && last.what != "" && retired.IsZero():
			retired = e.at
		case e.what == "narrow" && e.key.Family == k.Family:
			last, retired = event{}, time.Time{}
		}
	}
	return last, retired
}

// facts lists what is known of the addresses of a name, by its whole history.
func (m *model) facts(n Subject) []fact {
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
	return append(all, m.toldOf(n)...)
}

// toldOf lists what was overheard of a pattern, by its whole history.
func (m *model) toldOf(n Subject) []fact {
	byKey := map[Key]map[netip.Addr]fact{}
	for _, e := range m.history[n] {
		for _, a := range e.addrs {
			if e.key.Source != Overheard {
				continue
			}
			if byKey[e.key] == nil {
				byKey[e.key] = map[netip.Addr]fact{}
			}
			f := byKey[e.key][a]
			if e.what == "drop" {
				delete(byKey[e.key], a)
				continue
			}
			byKey[e.key][a] = fact{key: e.key, addr: a, told: true, seen: e.at, bound: later(f.bound, e.expires)}
		}
	}
	var all []fact
	for _, facts := range byKey {
		all = slices.AppendSeq(all, maps.Values(facts))
	}
	return all
}

func (m *model) fact(k Key, a netip.Addr) (fact, bool) {
	held, since := m.lastHeld(k, a)
	if held.what != "good" {
		return fact{}, false
	}
	f := fact{key: k, addr: a, seen: held.at}
	if from, ageing := startOfRetention(held, since); ageing {
		f.from = from
		return f, true
	}
	last, retired := m.word(k)
	f.current = true
	f.stays = last.what == "good" && retired.IsZero()
	f.bound = held.expires.Add(m.options.MaxStale)
	return f, true
}

// lastHeld returns the last event of a question that speaks of an address, and all events since.
func (m *model) lastHeld(k Key, a netip.Addr) (held event, since []event) {
	h := m.history[k.Subject()]
	for i, e := range h {
		if e.key == k && slices.Contains(e.addrs, a) {
			held, since = e, h[i+1:]
		}
	}
	return held, since
}

// pool is the subject under which the model keeps what it knows of a pattern: that of a wildcard is one that no name has.
func (m *model) pool(v View, p fqdn.Pattern) Subject {
	if n, exact := p.Exact(); exact {
		return Subject{v, n}
	}
	return Subject{View: View(p.String())}
}

// startOfRetention is when an address starts to age that an answer held and none since: another answer of its source,
// or an answer of another one after its own was retired. false: neither came.
func startOfRetention(held event, since []event) (time.Time, bool) {
	var retired time.Time
	for _, e := range since {
		good := e.what == "good" && e.key.Family == held.key.Family
		switch {
		case e.what == "retire" && e.key.Source == held.key.Source:
			retired = later(retired, e.at)
		case e.what == "narrow" && e.key.Family == held.key.Family:
			return later(held.expires, retired, e.at), true
		case good && (e.key.Source == held.key.Source || !retired.IsZero()):
			return later(held.expires, retired, e.at), true
		}
	}
	return time.Time{}, false
}

// speakers are the questions in service, or else those that retired last, of each family.
func (m *model) speakers(n Subject) []Key {
	var say []Key
	for _, f := range []Family{IPv4, IPv6} {
		var inService, latestGone []Key
		var latest time.Time
		for _, k := range m.keys(n) {
			last, retired := m.word(k)
			switch {
			case k.Family != f || last.what == "":
			case retired.IsZero():
				inService = append(inService, k)
			case retired.After(latest):
				latestGone, latest = []Key{k}, retired
			case retired.Equal(latest):
				latestGone = append(latestGone, k)
			}
		}
		if len(inService) > 0 {
			latestGone = inService
		}
		say = append(say, latestGone...)
	}
	return say
}
