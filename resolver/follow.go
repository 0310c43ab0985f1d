// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// crowdedNames is how many names through the cluster's DNS push out what the pods asked: CoreDNS' cache holds 9984
// answers by default, and a name is two.
const crowdedNames = 4000

// followWanted takes over the set of wanted names and returns the channel that says when it changes again. New names
// are due at once; those that left are dropped.
func (r *Resolver) followWanted() <-chan struct{} {
	wanted, changed := r.book.Wanted()
	now := r.options.Clock.Now()
	added, removed := diff(r.names, wanted)
	for _, l := range r.lanes {
		for _, name := range removed {
			r.dropName(l, name)
		}
		for _, name := range added {
			r.addName(l, name, now)
		}
	}
	r.names = wanted
	r.report()
	return changed
}

// diff compares two sorted lists without duplicates.
func diff(before, after []fqdn.Name) (added, removed []fqdn.Name) {
	for len(before) > 0 && len(after) > 0 {
		switch c := strings.Compare(before[0].String(), after[0].String()); {
		case c < 0:
			removed, before = append(removed, before[0]), before[1:]
		case c > 0:
			added, after = append(added, after[0]), after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
	return append(added, after...), append(removed, before...)
}

// followUpstreams takes over the set of upstreams and returns the channel that says when it changes again. A new
// upstream is asked everything at once; one that left is asked no more, what it still answers is dropped, and the book
// is told once.
func (r *Resolver) followUpstreams(ctx context.Context) <-chan struct{} {
	list, changed := r.source.Upstreams()
	now := r.options.Clock.Now()
	kept := map[Upstream]bool{}
	for _, u := range distinct(slices.Clone(list)) {
		key := Upstream{addr: u.addr, tcp: u.tcp}
		kept[key] = true
		if l, ok := r.lanes[key]; ok {
			l.upstream.cluster = u.cluster
			continue
		}
		l := newLane(ctx, u, r.options.MaxQPS)
		r.lanes[key] = l
		for _, name := range r.names {
			r.addName(l, name, now)
		}
	}
	for key, l := range r.lanes {
		if !kept[key] {
			r.retire(key, l, now)
		}
	}
	r.shareWorkers()
	r.report()
	return changed
}

func (r *Resolver) retire(key Upstream, l *lane, now time.Time) {
	l.cancel()
	for _, q := range l.queries {
		r.due.drop(q)
	}
	r.queries -= len(l.queries)
	r.noteLost(l, -l.lost)
	delete(r.lanes, key)
	r.book.Retire(l.source, now)
}

func (r *Resolver) addName(l *lane, name fqdn.Name, now time.Time) {
	for _, family := range r.options.Families {
		question := Question{Name: name, Family: family}
		q := &query{Question: question, lane: l, due: now, index: -1}
		l.queries[question] = q
		r.due.add(q)
		r.queries++
	}
}

func (r *Resolver) dropName(l *lane, name fqdn.Name) {
	for _, family := range r.options.Families {
		question := Question{Name: name, Family: family}
		if q := l.queries[question]; q != nil {
			r.due.drop(q)
			r.noteLost(l, -rank(q.phase.lost()))
			delete(l.queries, question)
			r.queries--
		}
	}
}

// shareWorkers gives each upstream an equal share, two workers at least: one for failing queries.
func (r *Resolver) shareWorkers() {
	for _, l := range r.lanes {
		l.workers = max(r.options.Workers/len(r.lanes), 2)
	}
}

// report keeps the gauges and says once what a person should know about the sets.
func (r *Resolver) report() {
	r.metrics.names.Set(float64(len(r.names)))
	r.metrics.questions.Set(float64(r.queries))
	r.metrics.upstreams.Set(float64(len(r.lanes)))
	log := r.options.Log
	if none := len(r.lanes) == 0; none != r.noted.noUpstream {
		r.noted.noUpstream = none
		if none {
			log.Info("There is no upstream to ask; waiting for one")
		} else {
			log.Info("There are upstreams to ask", "count", len(r.lanes))
		}
	}
	crowded := len(r.names) > crowdedNames && r.asksCluster()
	r.metrics.setCrowded(crowded)
	if crowded && !r.noted.crowded {
		r.noted.crowded = true
		log.Info("So many names are asked through the cluster's DNS that they push the pods' answers out of its cache;"+
			" raise the capacity of CoreDNS' cache plugin or use other upstreams", "names", len(r.names), "limit", crowdedNames)
	}
}

func (r *Resolver) asksCluster() bool {
	for _, l := range r.lanes {
		if l.upstream.cluster {
			return true
		}
	}
	return false
}
