// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// The servers that policies name are not ours, and whoever names them may name many: their part of the process is
// bounded, and never from the upstreams of the process.
const (
	maxViewUpstreams = 128 // over all views
	viewWorkers      = 16  // of each
	// tenantPlaces is how many of the places a tenant may take however few are left; spareUpstreams is how many must be left
	// for one that takes more.
	tenantPlaces   = 16
	spareUpstreams = maxViewUpstreams / 2
)

// places bounds the servers that policies name. A server keeps its place until no view names it. Free places go to the servers
// that wait, in the order in which they came.
//
//	free        the tenant has   its next server
//	none        -                waits: policies name too many servers
//	1 to 64     16 or more       waits: its policies do
//	1 to 64     fewer            gets a place
//	65 or more  -                gets a place
//
// So one tenant has 64 places at most, and the other 64 are there for four others at least. A server that several views name has one place,
// which counts for each tenant of these.
type places struct {
	taken   int
	of      map[string]int // by tenant
	waiting []seat         // in the order in which they came; those of views that closed are skipped
	changed bool           // there may be room for one that waits
}

// seat is an upstream of a view that waits for a place.
type seat struct {
	view     *viewLanes
	upstream dnsclient.Upstream
	reason   string // the book was told that it is not asked for this reason
}

// add counts a view of a tenant that asks a lane.
func (p *places) add(l *lane, tenant string) {
	if l.tenants[tenant]++; l.tenants[tenant] == 1 {
		p.of[tenant]++
	}
}

// remove counts one less.
func (p *places) remove(l *lane, tenant string) {
	if l.tenants[tenant]--; l.tenants[tenant] > 0 {
		return
	}
	delete(l.tenants, tenant)
	if p.of[tenant]--; p.of[tenant] == 0 {
		delete(p.of, tenant)
	}
}

// lacks returns why a view gets no further place, or nothing.
func (p *places) lacks(v *viewLanes) (reason string) {
	free := maxViewUpstreams - p.taken
	switch {
	case free <= 0:
		return ReasonTooManyUpstreams
	case free > spareUpstreams:
		return ""
	}
	for tenant := range v.tenants {
		if p.of[tenant] < tenantPlaces {
			return ""
		}
	}
	return ReasonTooManyOfTenant
}

// admitWaiting asks the upstreams that wait, as far as there is room, and tells the book of those for which there is none.
func (r *Resolver) admitWaiting(ctx context.Context, now time.Time) {
	if !r.places.changed {
		return
	}
	r.places.changed = false
	r.places.waiting = slices.DeleteFunc(r.places.waiting, func(s seat) bool {
		return r.views[s.view.name] != s.view || r.admit(ctx, s.view, s.upstream, now)
	})
	for i := range r.places.waiting {
		if s := &r.places.waiting[i]; s.reason == "" {
			s.reason = r.places.lacks(s.view)
			refused := refusal{sourceOf(s.upstream), s.reason}
			s.view.refused = append(s.view.refused, refused)
			for _, about := range s.view.subjects {
				r.tell(about, refused, r.families, now)
			}
		}
	}
}

// admit asks an upstream of a view if there is room, or if another view has it asked already.
func (r *Resolver) admit(ctx context.Context, v *viewLanes, u dnsclient.Upstream, now time.Time) bool {
	l := r.lanes[laneKey{ofViews: true, upstream: u}]
	if l == nil {
		if r.places.lacks(v) != "" {
			return false
		}
		l = r.open(ctx, true, u)
		r.places.taken++
	}
	l.views++
	for tenant := range v.tenants {
		r.places.add(l, tenant)
	}
	v.refused = slices.DeleteFunc(v.refused, func(r refusal) bool { return r.source == l.source })
	r.attach(l, v, now)
	r.book.Serve(v.name, len(v.lanes))
	return true
}
