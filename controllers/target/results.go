// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"maps"
	"slices"
	"sync"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// Results has the last Result of every target, by the owner that they are folded for. It is safe for concurrent use.
type Results struct {
	mu      sync.Mutex
	byOwner map[addressbook.Owner][]ofNamespace
	changed func(addressbook.Owner)
}

type ofNamespace struct {
	namespace string
	result    *Result
}

// NewResults returns an empty Results.
func NewResults() *Results { return &Results{byOwner: map[addressbook.Owner][]ofNamespace{}} }

// OnChange sets the function that is called with each owner of which a target was looked at, or went. It must not block. Set it
// before the first reconcile.
func (r *Results) OnChange(changed func(addressbook.Owner)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = changed
}

// Of returns the Results of an owner's targets, in the order in which they were first looked at; none: no target was yet.
func (r *Results) Of(o addressbook.Owner) []*Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	var results []*Result
	for _, n := range r.byOwner[o] {
		results = append(results, n.result)
	}
	return results
}

// Owners returns all owners of which a target was looked at, in no order.
func (r *Results) Owners() []addressbook.Owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.byOwner))
}

// Put replaces the Result of a target.
func (r *Results) Put(key Key, result *Result) {
	r.mu.Lock()
	of := r.byOwner[key.Owner]
	if i := indexOf(of, key.Namespace); i >= 0 {
		of[i].result = result
	} else {
		r.byOwner[key.Owner] = append(of, ofNamespace{key.Namespace, result})
	}
	r.mu.Unlock()
	r.wake(key)
}

// hold says that a target waits for its turn to write.
//
//	looked at in this generation before    what was said then still holds, but for the limit
//	in an earlier one, or never            the same, and that this generation awaits its turn
//	never by this process, and the status  nothing: the status tells more than is known here
//	  is of this generation
func (r *Results) hold(s *situation, limit metrics.Limit) {
	before := r.get(s.key)
	known := before != nil && before.UID == s.policy.UID
	if !known && s.policy.Status.ObservedGeneration == s.policy.Generation {
		return
	}
	result := Result{UID: s.memory.uid}
	if known {
		result = *before
	} else {
		for _, np := range s.owned() {
			result.Objects = append(result.Objects, np.Name)
		}
	}
	result = result.heard(s.snapshot)
	result.AwaitsTurn = result.AwaitsTurn || result.Generation != s.policy.Generation
	result.Generation, result.Limit = s.policy.Generation, limit
	r.Put(s.key, &result)
}

func (r *Results) get(key Key) *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.byOwner[key.Owner]
	if i := indexOf(of, key.Namespace); i >= 0 {
		return of[i].result
	}
	return nil
}

// forget drops the Result of a target that is gone.
func (r *Results) forget(key Key) {
	r.mu.Lock()
	of := r.byOwner[key.Owner]
	if i := indexOf(of, key.Namespace); i >= 0 {
		of = slices.Delete(of, i, i+1)
	}
	if r.byOwner[key.Owner] = of; len(of) == 0 {
		delete(r.byOwner, key.Owner)
	}
	r.mu.Unlock()
	r.wake(key)
}

// wake tells that a target was looked at.
func (r *Results) wake(key Key) {
	r.mu.Lock()
	changed := r.changed
	r.mu.Unlock()
	if changed != nil {
		changed(key.Owner)
	}
}

func indexOf(of []ofNamespace, namespace string) int {
	return slices.IndexFunc(of, func(n ofNamespace) bool { return n.namespace == namespace })
}
