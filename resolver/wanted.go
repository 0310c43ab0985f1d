// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// followWanted takes over the changes of the wanted subjects, and the families that are asked. New questions are due at once; those
// that left are dropped. Its cost grows with the changes, not with the subjects there are.
func (r *Resolver) followWanted(ctx context.Context) {
	changes := r.subscription.Take()
	now := r.options.Clock.Now()
	r.followFamilies(r.book.Families(), now) // read after Take, so that no change falls between
	for _, c := range changes {
		if s := r.subject(c.Subject); s != nil {
			r.follow(s, c, now)
		}
	}
	r.closeViews(now) // before others come: they may have the places
	r.admitWaiting(ctx, now)
	changes = slices.DeleteFunc(changes, func(c addressbook.WantedChange) bool { return len(c.Tenants) == 0 || r.subject(c.Subject) != nil })
	r.fitEndpoints(ctx, len(r.views[""].subjects)+inZeroView(changes))
	crowds := map[addressbook.Tenant]int{}
	for _, c := range changes {
		for _, t := range c.Tenants {
			crowds[t]++
		}
	}
	for _, c := range changes {
		r.enter(ctx, c, crowds, now)
	}
	r.admitWaiting(ctx, now)
	r.shareWorkers()
	r.report()
}

// inZeroView counts the changes of names that the upstreams of the process are asked.
func inZeroView(changes []addressbook.WantedChange) int {
	n := 0
	for _, c := range changes {
		n += boolToInt(c.Subject.View == "")
	}
	return n
}

// follow takes over a change of a subject that was wanted before.
//
//	tenants   anew   so
//	none      -      nobody asks about it any more
//	some      no     queries that wait for a turn wait for theirs
//	some      yes    the same, and it is asked at once, as the book knows nothing of it any more
func (r *Resolver) follow(s *subject, c addressbook.WantedChange, now time.Time) {
	if len(c.Tenants) == 0 {
		r.drop(s, r.families)
		r.leave(s)
		return
	}
	view, rank := s.cohort.view, s.cohort.rank
	r.leave(s)
	r.join(s, view.cohort(names(c.Tenants), rank))
	if c.Anew {
		r.drop(s, r.families)
		r.add(s, r.families, now)
		return
	}
	for q := s.queries; q != nil; q = q.next {
		if q.index == waiting {
			q.lane.push(q)
		}
	}
}

// enter begins to ask about a subject. crowds are how many came for each tenant.
func (r *Resolver) enter(ctx context.Context, c addressbook.WantedChange, crowds map[addressbook.Tenant]int, now time.Time) {
	crowd := crowds[c.Tenants[0]]
	for _, t := range c.Tenants {
		crowd = min(crowd, crowds[t])
	}
	v := r.views[c.Subject.View]
	if v == nil {
		v = r.openView(ctx, c.Subject.View)
	}
	s := &subject{name: c.Subject.Name}
	r.join(s, v.cohort(names(c.Tenants), crowdRank(crowd)))
	r.add(s, r.families, now) // of a view that opens: its lanes come later, and ask about all it has by then
}

func names(tenants []addressbook.Tenant) []string {
	list := make([]string, len(tenants))
	for i, t := range tenants {
		list[i] = string(t)
	}
	return list
}

// followFamilies asks about all subjects in the families that are new, and no more in those that left.
func (r *Resolver) followFamilies(families []addressbook.Family, now time.Time) {
	added, removed := without(families, r.families), without(r.families, families)
	r.families = families
	if len(added)+len(removed) == 0 {
		return
	}
	for _, v := range r.views {
		for _, s := range v.subjects {
			r.drop(s, removed)
			r.add(s, added, now)
		}
	}
}

// without returns those of families that are none of others.
func without(families, others []addressbook.Family) []addressbook.Family {
	return slices.DeleteFunc(slices.Clone(families), func(f addressbook.Family) bool { return slices.Contains(others, f) })
}

// add asks about a subject in some families, and tells the book which servers of its view are not asked.
func (r *Resolver) add(s *subject, families []addressbook.Family, now time.Time) {
	v := s.cohort.view
	for _, l := range v.lanes {
		r.addTo(l, s, families, now)
	}
	for _, refused := range v.refused {
		r.tell(s, refused, families, now)
	}
}

// addTo asks an upstream about a subject in some families.
func (r *Resolver) addTo(l *lane, s *subject, families []addressbook.Family, now time.Time) {
	for _, family := range families {
		q := &query{about: s, lane: l, next: s.queries, due: r.elapsed(now), index: flying, family: family}
		s.queries = q
		r.due.add(q)
		r.queries++
	}
}

// drop asks about a subject no more in some families.
func (r *Resolver) drop(s *subject, families []addressbook.Family) {
	r.dropQueries(s, func(q *query) bool { return slices.Contains(families, q.family) })
}

// dropQueries asks some questions about a subject no more, wherever they are. Answers that are on their way are dropped.
func (r *Resolver) dropQueries(s *subject, drops func(*query) bool) {
	for at := &s.queries; *at != nil; {
		q := *at
		if !drops(q) {
			at = &q.next
			continue
		}
		*at = q.next
		r.due.remove(q)
		q.lane.remove(q)
		q.index = gone
		r.noteUnlocked(q.lane, -boolToInt(q.phase.unlocked()))
		q.lane.good -= boolToInt(q.good)
		r.queries--
	}
}
