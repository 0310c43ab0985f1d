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
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// viewLanes are the lanes of a view, and the names that are asked there. Those of the zero View, the upstreams of the process, are
// always there; the others are there while some policy names the servers.
type viewLanes struct {
	name     addressbook.View
	subjects map[fqdn.Name]*subject
	cohorts  map[cohortKey]*cohort // of the subjects
	lanes    []*lane
	refused  []refusal
	tenants  map[string]int // of how many of the cohorts each is; of the zero view none
}

// refusal is an upstream of a view that is not asked, and why.
type refusal struct {
	source addressbook.Source
	reason string
}

func newView(name addressbook.View) *viewLanes {
	return &viewLanes{name: name, subjects: map[fqdn.Name]*subject{}, cohorts: map[cohortKey]*cohort{}, tenants: map[string]int{}}
}

// subject finds one that is wanted; nil: it is not.
func (r *Resolver) subject(about addressbook.Subject) *subject {
	if v := r.views[about.View]; v != nil {
		return v.subjects[about.Name]
	}
	return nil
}

// join lets a subject into a view and one of its cohorts.
func (r *Resolver) join(s *subject, c *cohort) {
	v := c.view
	s.cohort, v.subjects[s.name] = c, s
	r.subjects++
	c.subjects++
	if v.name == "" {
		return
	}
	r.places.changed = true
	if c.subjects > 1 {
		return
	}
	for _, t := range c.tenants {
		if v.tenants[t]++; v.tenants[t] == 1 {
			for _, l := range v.lanes {
				r.places.add(l, t)
			}
		}
	}
}

// leave takes a subject out of its cohort and view. A view without any is closed by closeViews.
func (r *Resolver) leave(s *subject) {
	c, v := s.cohort, s.cohort.view
	delete(v.subjects, s.name)
	r.subjects--
	if c.subjects--; c.subjects == 0 {
		r.disband(c)
	}
	if v.name == "" {
		return
	}
	r.places.changed = true
	if len(v.subjects) == 0 {
		r.emptied = append(r.emptied, v)
	}
}

// disband forgets a cohort that lost its last subject.
func (r *Resolver) disband(c *cohort) {
	v := c.view
	delete(v.cohorts, keyOf(c.tenants, c.rank))
	if v.name == "" {
		return
	}
	for _, t := range c.tenants {
		if v.tenants[t]--; v.tenants[t] == 0 {
			delete(v.tenants, t)
			for _, l := range v.lanes {
				r.places.remove(l, t)
			}
		}
	}
}

// openView makes a view. Its upstreams that may be asked wait for a place.
func (r *Resolver) openView(ctx context.Context, name addressbook.View) *viewLanes {
	v := newView(name)
	r.views[name] = v
	seen := map[dnsclient.Upstream]bool{}
	for _, text := range name.Upstreams() {
		u, err := dnsclient.ParseUpstream(text)
		switch {
		case err != nil:
			v.refused = append(v.refused, refusal{addressbook.Source(shortened(text, maxSource)), shortened(err.Error(), maxReason)})
			continue
		case seen[u]: // the same one, spelled otherwise
			continue
		}
		seen[u] = true
		if reason := r.forbids(ctx, u.Server().Addr()); reason != "" {
			v.refused = append(v.refused, refusal{sourceOf(u), reason})
		} else {
			r.places.waiting = append(r.places.waiting, seat{view: v, upstream: u})
		}
	}
	return v
}

// closeViews ends the views that lost their last subject and got no other. The book forgot all about their names
// when these went, so no source is left to retire.
func (r *Resolver) closeViews(now time.Time) {
	for _, v := range r.emptied {
		if len(v.subjects) > 0 || r.views[v.name] != v {
			continue
		}
		for _, l := range v.lanes {
			if l.views--; l.views == 0 {
				r.end(l)
				r.places.taken--
			}
		}
		delete(r.views, v.name)
		r.book.Serve(v.name, 0)
	}
	if len(r.emptied) > 0 {
		r.emptied = r.emptied[:0]
		r.forgetServers(now)
	}
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

// tell tells the book in some families that an upstream of a subject's view is not asked.
func (r *Resolver) tell(s *subject, refused refusal, families []addressbook.Family, now time.Time) {
	for _, family := range families {
		r.book.Fail(addressbook.Key{View: s.cohort.view.name, Name: s.name, Family: family, Source: refused.source}, refused.reason, now)
	}
}
