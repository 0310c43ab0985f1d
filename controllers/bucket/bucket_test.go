// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"testing"
	"time"
)

var testNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestBucket(t *testing.T) {
	r := Rate{Burst: 10, PerSecond: 2}
	var b Bucket
	want := func(n float64, in time.Duration) {
		t.Helper()
		got := time.Duration(0)
		if at := b.ReadyAt(r, n, testNow); !at.IsZero() {
			got = at.Sub(testNow)
		}
		if got != in {
			t.Errorf("%v is ready in %s, want %s", n, got, in)
		}
	}
	want(10, 0)
	b.Take(r, 4, testNow)
	want(6, 0)
	want(9, 1500*time.Millisecond)
	b.Take(r, 9, testNow)
	b.Take(r, -2, testNow)
	want(3, 2*time.Second)
	want(1000, 5500*time.Millisecond) // never more than all that it holds
	if at := b.ReadyAt(r, 3, testNow.Add(2*time.Second)); !at.IsZero() {
		t.Errorf("two seconds later 3 are ready at %s", at)
	}
	if b.Full(r, testNow.Add(5*time.Second)) || !b.Full(r, testNow.Add(6*time.Second)) {
		t.Error("what was taken is not back when it must be")
	}
	b.Take(r, -100, testNow.Add(6*time.Second))
	if at := b.ReadyAt(r, 11, testNow.Add(6*time.Second)); !at.IsZero() {
		t.Error("more given back than taken, and all it holds is ready only at", at)
	}
}

func TestBucket_DrainMakesNoDebt(t *testing.T) {
	var b Bucket
	r, now := Rate{Burst: 10, PerSecond: 2}, testNow
	b.Drain(r, 4, now)
	if spent := b.Spent(r, now); spent != 4 {
		t.Errorf("%.0f are spent of 4", spent)
	}
	b.Drain(r, 9, now)
	if spent := b.Spent(r, now); spent != 10 {
		t.Errorf("%.0f are spent of the 10 that there were", spent)
	}
	b.Take(r, 5, now)
	b.Drain(r, 1, now)
	if spent := b.Spent(r, now); spent != 15 {
		t.Errorf("a debt of 5 became %.0f", spent-10)
	}
}
