// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// followUpstreams takes over the set of upstreams of the process, and the channel that says when it changes again. A new
// upstream is asked everything at once; one that left is asked no more, its late answers are dropped, and the book
// is told once.
func (r *Resolver) followUpstreams(ctx context.Context) {
	var list []Listed
	list, r.upstreamsChanged = r.source.Upstreams()
	now := r.options.Clock.Now()
	own := r.views[""]
	kept := map[*lane]bool{}
	asked, left := sample(distinct(slices.Clone(list)), r.endpoints)
	r.noteUnasked(left)
	for _, u := range asked {
		l := r.lanes[laneKey{upstream: u.Upstream}]
		if l == nil {
			l = r.open(ctx, false, u.Upstream)
			r.attach(l, own, now)
		}
		l.cluster = u.Cluster
		kept[l] = true
	}
	for _, l := range slices.Clone(own.lanes) {
		if !kept[l] {
			r.detach(l, own)
			r.end(l)
			r.book.Retire("", l.source, now)
		}
	}
	r.book.Serve("", len(own.lanes))
	r.forgetServers(now)
	r.shareWorkers()
	r.report()
}

// fitEndpoints decides how many endpoints of the cluster's DNS are asked about so many names, and asks others if that changed.
func (r *Resolver) fitEndpoints(ctx context.Context, names int) {
	if fit := clusterUpstreams(names*len(r.families), r.options.clusterQuestions, r.endpoints); fit != r.endpoints {
		r.endpoints = fit
		r.followUpstreams(ctx)
	}
}

// open makes the lane of an upstream, which is asked nothing yet.
func (r *Resolver) open(ctx context.Context, ofViews bool, u dnsclient.Upstream) *lane {
	l := newLane(ctx, laneKey{ofViews, u}, r.serverAt(u.Server().Addr()))
	r.lanes[l.key] = l
	r.inTurn = append(r.inTurn, l)
	return l
}

// attach asks an upstream about all that is wanted in a view.
func (r *Resolver) attach(l *lane, v *viewLanes, now time.Time) {
	v.lanes = append(v.lanes, l)
	for _, s := range v.subjects {
		r.addTo(l, s, r.families, now)
	}
}

// detach asks an upstream about nothing of a view any more.
func (r *Resolver) detach(l *lane, v *viewLanes) {
	v.lanes = slices.DeleteFunc(v.lanes, func(o *lane) bool { return o == l })
	for _, s := range v.subjects {
		r.dropQueries(s, func(q *query) bool { return q.lane == l })
	}
}

// end ends the lane of an upstream that is asked nothing any more.
func (r *Resolver) end(l *lane) {
	l.cancel()
	r.noteDown(l, -boolToInt(l.health.down))
	l.server.lanes--
	delete(r.lanes, l.key)
	r.inTurn = slices.DeleteFunc(r.inTurn, func(o *lane) bool { return o == l })
}

// tlsWorkers bounds the questions in flight at an upstream over TLS, as each has a connection to itself and servers
// bound the connections of a client. At 30 ms an answer these are the thousand a second that MaxQPS allows.
const tlsWorkers = 32

// shareWorkers gives each upstream of the process an equal share, two workers at least: one for failing queries.
func (r *Resolver) shareWorkers() {
	own := max(r.options.Workers/max(r.upstreams(), 1), 2)
	for _, l := range r.lanes {
		l.workers = own
		if l.key.ofViews {
			l.workers = viewWorkers
		}
		if l.upstream.OverTLS() {
			l.workers = min(l.workers, tlsWorkers)
		}
	}
}

// upstreams counts those of the process.
func (r *Resolver) upstreams() int { return len(r.views[""].lanes) }

// crowdedNames is how many names through the cluster's DNS push out what the pods asked: CoreDNS' cache holds 9984
// answers by default, and a name is two.
const crowdedNames = 4000

// report keeps the gauges and says once what a person should know about the sets.
func (r *Resolver) report() {
	r.metrics.names.Set(float64(r.subjects))
	r.metrics.questions.Set(float64(r.queries))
	r.metrics.upstreams.Set(float64(r.upstreams()))
	r.metrics.named.Set(float64(r.places.taken))
	log := r.options.Log
	if none := r.upstreams() == 0; none != r.noted.noUpstream {
		r.noted.noUpstream = none
		if none {
			log.Info("There is no upstream to ask; waiting for one")
		} else {
			log.Info("There are upstreams to ask", "count", r.upstreams())
		}
	}
	names := len(r.views[""].subjects)
	crowded := names > crowdedNames && r.asksCluster()
	r.metrics.setCrowded(crowded)
	if crowded && !r.noted.crowded {
		r.noted.crowded = true
		log.Info("So many names are asked through the cluster's DNS that they push the pods' answers out of its cache;"+
			" raise the capacity of CoreDNS' cache plugin or use other upstreams", "names", names, "limit", crowdedNames)
	}
}

func (r *Resolver) asksCluster() bool {
	return slices.ContainsFunc(r.views[""].lanes, func(l *lane) bool { return l.cluster })
}

// noteDown counts the process's own upstreams that are down. A server that a policy names is its author's concern.
func (r *Resolver) noteDown(l *lane, change int) {
	if !l.key.ofViews {
		r.metrics.down.Add(float64(change))
	}
}
