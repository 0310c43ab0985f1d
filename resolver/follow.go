// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// crowdedNames is how many names through the cluster's DNS push out what the pods asked: CoreDNS' cache holds 9984
// answers by default, and a name is two.
const crowdedNames = 4000

// followWanted takes over the set of wanted names and the families that are asked, and returns the channel that says when
// one of the two changes again. New questions are due at once; those that left are dropped.
func (r *Resolver) followWanted(ctx context.Context) <-chan struct{} {
	wanted, changed := r.book.Wanted()
	now := r.options.Clock.Now()
	r.followFamilies(r.book.Families(), now) // read after Wanted, so that no change falls between
	added, removed := diff(r.subjects, wanted)
	r.followViews(ctx, wanted)
	for _, l := range r.lanes {
		for _, s := range removed {
			r.drop(l, s, r.families)
		}
		for _, s := range added {
			r.add(l, s, r.families, now)
		}
	}
	for _, s := range added {
		r.refuse(s, r.families, now)
	}
	r.subjects = wanted
	r.shareWorkers()
	r.report()
	return changed
}

// followFamilies asks about all subjects in the families that are new, and no more in those that left.
func (r *Resolver) followFamilies(families []addressbook.Family, now time.Time) {
	added, removed := without(families, r.families), without(r.families, families)
	r.families = families
	if len(added)+len(removed) == 0 {
		return
	}
	for _, s := range r.subjects {
		for _, l := range r.lanes {
			r.drop(l, s, removed)
			r.add(l, s, added, now)
		}
		r.refuse(s, added, now)
	}
}

// without returns those of families that are none of others.
func without(families, others []addressbook.Family) []addressbook.Family {
	return slices.DeleteFunc(slices.Clone(families), func(f addressbook.Family) bool { return slices.Contains(others, f) })
}

// diff compares two sorted lists without duplicates.
func diff(before, after []addressbook.Subject) (added, removed []addressbook.Subject) {
	for len(before) > 0 && len(after) > 0 {
		switch c := before[0].Compare(after[0]); {
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
	kept := map[laneKey]bool{}
	asked, left := sample(distinct(slices.Clone(list)))
	r.noteUnasked(left)
	for _, u := range asked {
		key := laneKey{upstream: u.Upstream}
		kept[key] = true
		l, ok := r.lanes[key]
		if !ok {
			l = newLane(ctx, key, u.Upstream, r.options.MaxQPS)
			r.open(l)
		}
		l.cluster = u.Cluster
	}
	for key, l := range r.lanes {
		if key.view == "" && !kept[key] {
			r.end(key, l)
			r.book.Retire("", l.source, now)
		}
	}
	r.book.Serve("", r.upstreams())
	r.shareWorkers()
	r.report()
	return changed
}

// open asks an upstream about all that is known to be wanted.
func (r *Resolver) open(l *lane) {
	r.lanes[l.key] = l
	r.viewLanes += boolToInt(l.key.view != "")
	now := r.options.Clock.Now()
	for _, s := range r.subjects {
		r.add(l, s, r.families, now)
	}
}

// end asks an upstream no more.
func (r *Resolver) end(key laneKey, l *lane) {
	l.cancel()
	for _, q := range l.queries {
		r.due.drop(q)
	}
	r.queries -= len(l.queries)
	r.noteLost(l, -l.lost)
	r.noteDown(l, -boolToInt(l.health.down))
	r.viewLanes -= boolToInt(key.view != "")
	delete(r.lanes, key)
}

// add asks an upstream about a subject in some families, if it is one of its view.
func (r *Resolver) add(l *lane, s addressbook.Subject, families []addressbook.Family, now time.Time) {
	if s.View != l.key.view {
		return
	}
	for _, family := range families {
		question := Question{Name: s.Name, Family: family}
		q := &query{Question: question, lane: l, due: now, index: -1}
		l.queries[question] = q
		r.due.add(q)
		r.queries++
	}
}

func (r *Resolver) drop(l *lane, s addressbook.Subject, families []addressbook.Family) {
	if s.View != l.key.view {
		return
	}
	for _, family := range families {
		question := Question{Name: s.Name, Family: family}
		if q := l.queries[question]; q != nil {
			r.due.drop(q)
			r.noteLost(l, -boolToInt(q.phase.lost()))
			l.good -= boolToInt(q.good)
			delete(l.queries, question)
			r.queries--
		}
	}
}

// tlsWorkers bounds the questions in flight at an upstream over TLS, as each has a connection to itself and servers
// bound the connections of a client. At 30 ms an answer these are the thousand a second that MaxQPS allows.
const tlsWorkers = 32

// shareWorkers gives each upstream of the process an equal share, two workers at least: one for failing queries.
func (r *Resolver) shareWorkers() {
	for _, l := range r.lanes {
		l.workers = viewWorkers
		if l.key.view == "" {
			l.workers = max(r.options.Workers/r.upstreams(), 2)
		}
		if l.upstream.OverTLS() {
			l.workers = min(l.workers, tlsWorkers)
		}
	}
}

// upstreams counts those of the process.
func (r *Resolver) upstreams() int { return len(r.lanes) - r.viewLanes }

// report keeps the gauges and says once what a person should know about the sets.
func (r *Resolver) report() {
	r.metrics.names.Set(float64(len(r.subjects)))
	r.metrics.questions.Set(float64(r.queries))
	r.metrics.upstreams.Set(float64(r.upstreams()))
	r.metrics.named.Set(float64(r.viewLanes))
	log := r.options.Log
	if none := r.upstreams() == 0; none != r.noted.noUpstream {
		r.noted.noUpstream = none
		if none {
			log.Info("There is no upstream to ask; waiting for one")
		} else {
			log.Info("There are upstreams to ask", "count", r.upstreams())
		}
	}
	crowded := r.namesThroughUpstreams() > crowdedNames && r.asksCluster()
	r.metrics.setCrowded(crowded)
	if crowded && !r.noted.crowded {
		r.noted.crowded = true
		log.Info("So many names are asked through the cluster's DNS that they push the pods' answers out of its cache;"+
			" raise the capacity of CoreDNS' cache plugin or use other upstreams", "names", r.namesThroughUpstreams(), "limit", crowdedNames)
	}
}

// namesThroughUpstreams counts the names that the upstreams of the process are asked.
func (r *Resolver) namesThroughUpstreams() int {
	first, _ := slices.BinarySearchFunc(r.subjects, addressbook.View(""), func(s addressbook.Subject, v addressbook.View) int {
		if s.View == v {
			return -1
		}
		return 1
	})
	return first
}

func (r *Resolver) asksCluster() bool {
	for _, l := range r.lanes {
		if l.cluster {
			return true
		}
	}
	return false
}
