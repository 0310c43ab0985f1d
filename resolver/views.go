// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// The servers that owners name are not ours, and whoever names them may name many: what they take of the process is
// bounded, and never from the upstreams of the process.
const (
	maxViewUpstreams = 128 // over all views
	viewWorkers      = 16  // of each
	viewShare        = 10  // of MaxQPS each has the tenth part
)

// view is a set of upstreams that some owner names for its names.
type view struct {
	lanes   int
	refused []refusal
	full    bool // there were too many to make all lanes
}

// refusal is an upstream of a view that is not asked.
type refusal struct {
	source addressbook.Source
	reason string
}

// followViews makes the lanes of views that are wanted now, and ends those of views that are not wanted any more.
func (r *Resolver) followViews(ctx context.Context, wanted []addressbook.Subject) {
	now := map[addressbook.View]bool{}
	for _, s := range wanted {
		now[s.View] = true
	}
	for v, opened := range r.views {
		if !now[v] || opened.full && r.viewUpstreams() < maxViewUpstreams {
			r.closeView(v)
		}
	}
	for _, s := range wanted {
		if s.View != "" && r.views[s.View] == nil {
			r.views[s.View] = r.openView(ctx, s.View)
		}
	}
}

func (r *Resolver) closeView(v addressbook.View) {
	for key, l := range r.lanes {
		if key.view == v {
			r.end(key, l)
		}
	}
	delete(r.views, v)
}

// openView makes a lane for each upstream of a view that may be asked.
func (r *Resolver) openView(ctx context.Context, v addressbook.View) *view {
	opened := &view{}
	for _, text := range v.Upstreams() {
		u, err := ParseUpstream(text)
		switch key := (laneKey{view: v, upstream: u.identity()}); {
		case err != nil:
			opened.refuse(text, ReasonNotUpstream)
		case !r.mayAsk(u.addr.Addr()):
			opened.refuse(u.String(), ReasonNotAllowed)
		case r.lanes[key] != nil: // the same one, spelled otherwise
		case r.viewUpstreams() >= maxViewUpstreams:
			opened.refuse(u.String(), ReasonTooManyUpstreams)
			opened.full = true
		default:
			r.open(newLane(ctx, key, u, max(r.options.MaxQPS/viewShare, 1)))
			opened.lanes++
		}
	}
	return opened
}

func (v *view) refuse(upstream, reason string) {
	v.refused = append(v.refused, refusal{addressbook.Source(upstream), reason})
}

// viewUpstreams counts the lanes of all views.
func (r *Resolver) viewUpstreams() int {
	sum := 0
	for _, v := range r.views {
		sum += v.lanes
	}
	return sum
}

// mayAsk tells whether a view may name a server of that address.
func (r *Resolver) mayAsk(addr netip.Addr) bool {
	if r.options.ViewUpstreams == nil {
		return !addr.IsLoopback() && !addr.IsLinkLocalUnicast()
	}
	return slices.ContainsFunc(r.options.ViewUpstreams, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// refuse tells the book of the upstreams of a new subject that are not asked.
func (r *Resolver) refuse(s addressbook.Subject, now time.Time) {
	v := r.views[s.View]
	if v == nil {
		return
	}
	for _, refusal := range v.refused {
		for _, family := range r.options.Families {
			r.book.Fail(addressbook.Key{View: s.View, Name: s.Name, Family: family, Source: refusal.source}, refusal.reason, now)
		}
	}
}
