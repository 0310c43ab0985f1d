// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// due is what decides when the status of one policy is due: when it was looked at and written.
type due struct {
	uid       types.UID
	foldedAt  time.Time
	writtenAt time.Time    // or first seen
	reserved  *reservation // nil: none, as of most policies most of the time
	differsAt time.Time    // since when it is known to differ from what is written; zero: it does not
}

// urgent tells whether tools wait for the status: it is the first of a generation, or Ready is still what it is at a start.
func urgent(policy *v1alpha1.FQDNEgressPolicy) bool {
	ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
	return isFirst(policy) || ready != nil && ready.Reason == v1alpha1.ReasonPending
}

// isFirst tells whether there is no status of this generation yet.
func isFirst(policy *v1alpha1.FQDNEgressPolicy) bool {
	return policy.Status.ObservedGeneration != policy.Generation
}

// foldAt returns when the status is to be looked at; zero: now.
//
//	the first of a generation    at once, unless a name is likely to be answered within a moment
//	tools wait for it            at once
//	else                         foldInterval after the last look
func (d *due) foldAt(policy *v1alpha1.FQDNEgressPolicy, names []target.Name) time.Time {
	switch {
	case isFirst(policy):
		return namesDueAt(names)
	case urgent(policy):
		return time.Time{}
	}
	return d.foldedAt.Add(foldInterval)
}

// namesDueAt returns when names that were not answered yet were wanted for firstStatusWait; zero: all are answered.
func namesDueAt(names []target.Name) time.Time {
	var at time.Time
	for i := range names {
		if _, exact := names[i].Pattern.Exact(); !exact || names[i].Answered {
			continue
		}
		if end := specialOf(names[i]).Wanted.Add(firstStatusWait); end.After(at) {
			at = end
		}
	}
	return at
}

// writeAt returns when a status that differs is to be written, if no rules wait; zero: now.
//
//	tools wait for it    at once
//	else                 interval after the one before
func (d *due) writeAt(policy *v1alpha1.FQDNEgressPolicy) time.Time {
	if urgent(policy) {
		return time.Time{}
	}
	return d.writtenAt.Add(interval)
}

// rulesFirst returns until when a status that is known to differ lets rules go first; zero: it does not.
func (d *due) rulesFirst(policy *v1alpha1.FQDNEgressPolicy) time.Time {
	switch {
	case d.differsAt.IsZero():
		return time.Time{}
	case urgent(policy):
		return d.differsAt.Add(maxWaitForRulesFirst)
	}
	from := d.differsAt
	if at := d.writeAt(policy); at.After(from) {
		from = at
	}
	return from.Add(maxWaitForRules)
}

// folded takes note of a look, which found the status as it is written or not.
func (d *due) folded(same bool, now time.Time) {
	d.foldedAt = now
	switch {
	case same:
		d.differsAt = time.Time{}
	case d.differsAt.IsZero():
		d.differsAt = now
	}
}

// written takes note of a write.
func (d *due) written(now time.Time) { d.writtenAt, d.differsAt = now, time.Time{} }

// dues has the due of every policy. The zero value is ready; it is safe for concurrent use.
type dues struct {
	mu      sync.Mutex
	byOwner map[addressbook.Owner]*due
}

// of returns the due of a policy, and makes it at first sight. A policy that was deleted and created again under the same
// name is another one.
func (d *dues) of(o addressbook.Owner, policy *v1alpha1.FQDNEgressPolicy, now time.Time) *due {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.byOwner[o]; known != nil && known.uid == policy.UID {
		return known
	}
	fresh := &due{uid: policy.UID}
	if !isFirst(policy) {
		// A restart: what the status says came from the same spec, and answers that are seconds away will say it again.
		fresh.writtenAt = now
	}
	if d.byOwner == nil {
		d.byOwner = map[addressbook.Owner]*due{}
	}
	d.byOwner[o] = fresh
	return fresh
}

// forget drops the due of a policy, and returns it; nil if there was none.
func (d *dues) forget(o addressbook.Owner) *due {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byOwner[o]
	delete(d.byOwner, o)
	return known
}
