// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
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
}

// refusal is an upstream of a view that is not asked.
type refusal struct {
	source addressbook.Source
	reason string
}

// followViews makes the lanes of views that are wanted now, and ends those of views that are not wanted any more. An
// upstream keeps its place until then. Places that get free go to the upstreams that wait for one, in the order in which
// they came, and only then to new ones.
func (r *Resolver) followViews(ctx context.Context, wanted []addressbook.Subject) {
	now := map[addressbook.View]bool{}
	for _, s := range wanted {
		now[s.View] = true
	}
	for v := range r.views {
		if !now[v] {
			r.closeView(v)
		}
	}
	r.admitWaiting(ctx)
	for _, s := range wanted {
		if s.View != "" && r.views[s.View] == nil {
			r.openView(ctx, s.View)
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
	r.book.Serve(v, 0)
}

// openView makes a lane for each upstream of a view that may be asked.
func (r *Resolver) openView(ctx context.Context, v addressbook.View) {
	opened := &view{}
	r.views[v] = opened
	seen := map[dnsclient.Upstream]bool{}
	for _, text := range v.Upstreams() {
		u, err := dnsclient.ParseUpstream(text)
		if err != nil {
			opened.refuse(addressbook.Source(shortened(text, maxSource)), shortened(err.Error(), maxReason))
			continue
		}
		switch reason := r.forbids(ctx, u.Server().Addr()); {
		case seen[u]: // the same one, spelled otherwise
		case reason != "":
			opened.refuse(sourceOf(u), reason)
		case r.viewLanes >= maxViewUpstreams:
			opened.refuse(sourceOf(u), ReasonTooManyUpstreams)
			r.waiting = append(r.waiting, laneKey{view: v, upstream: u})
		default:
			r.openInView(ctx, laneKey{view: v, upstream: u})
		}
		seen[u] = true
	}
}

func (r *Resolver) openInView(ctx context.Context, key laneKey) {
	r.open(newLane(ctx, key, key.upstream, max(r.options.MaxQPS/viewShare, 1)))
	v := r.views[key.view]
	v.lanes++
	r.book.Serve(key.view, v.lanes)
}

// admitWaiting asks upstreams for which there was no room before, as far as there is now.
func (r *Resolver) admitWaiting(ctx context.Context) {
	r.waiting = slices.DeleteFunc(r.waiting, func(key laneKey) bool {
		v := r.views[key.view]
		if v == nil { // nobody wants it any more
			return true
		}
		if r.viewLanes >= maxViewUpstreams {
			return false
		}
		v.admit(key.upstream)
		r.openInView(ctx, key)
		return true
	})
}

func (v *view) refuse(s addressbook.Source, reason string) {
	v.refused = append(v.refused, refusal{s, reason})
}

// admit forgets that an upstream was refused.
func (v *view) admit(u dnsclient.Upstream) {
	v.refused = slices.DeleteFunc(v.refused, func(r refusal) bool { return r.source == sourceOf(u) })
}

// forbids returns why a view may not name a server of that address, or nothing.
func (r *Resolver) forbids(ctx context.Context, addr netip.Addr) (reason string) {
	switch blocks := r.options.ViewUpstreams; {
	case r.options.NeverAsk(ctx, addr):
		return ReasonNeverAsked
	case blocks != nil && !slices.ContainsFunc(blocks, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return ReasonNotAllowed
	}
	return ""
}

// neverAsk is what stands for Options.NeverAsk where nobody knows the cluster: this machine, and where clouds have their
// metadata.
func neverAsk(_ context.Context, addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified()
}

// refuse tells the book of the upstreams of a subject that are not asked, in families that are new to it.
func (r *Resolver) refuse(s addressbook.Subject, families []addressbook.Family, now time.Time) {
	v := r.views[s.View]
	if v == nil {
		return
	}
	for _, refusal := range v.refused {
		for _, family := range families {
			r.book.Fail(addressbook.Key{View: s.View, Name: s.Name, Family: family, Source: refusal.source}, refusal.reason, now)
		}
	}
}
