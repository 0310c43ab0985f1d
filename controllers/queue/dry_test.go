// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import "testing"

func TestQueue_TellsWhenItRunsDry(t *testing.T) {
	dry := 0
	q := newTestQueueWith(8, func() { dry++ })
	q.Add(keyIn("shop", 0))
	q.Add(keyIn("other", 0))
	next(t, q)
	if dry != 0 || !q.Waiting("shop") {
		t.Error("dry while somebody waits for a worker")
	}
	next(t, q)
	if dry != 1 || q.Waiting("shop") {
		t.Errorf("dry %d times, waiting %t", dry, q.Waiting("shop"))
	}
}

// Who was told that rules wait, as one of noisy waited for a worker, is told when none does, however many of noisy wait for their own.
func TestQueue_TellsOthersWhenATenantHasItsQuarter(t *testing.T) {
	dry := 0
	q := newTestQueueWith(8, func() { dry++ })
	for i := range 100 {
		q.Add(keyIn("noisy", i))
	}
	first := next(t, q)
	if dry != 0 || !q.Waiting("quiet") {
		t.Errorf("dry %d times while one of noisy waits for a worker", dry)
	}
	next(t, q)
	if dry != 1 || q.Waiting("quiet") || !q.Waiting("noisy") {
		t.Errorf("noisy has its quarter: dry %d times, quiet waits: %t", dry, q.Waiting("quiet"))
	}
	q.Done(first)
	if !q.Waiting("quiet") {
		t.Error("one of noisy waits for a worker again")
	}
	if next(t, q); dry != 2 {
		t.Errorf("and then it does not: dry %d times", dry)
	}
}
