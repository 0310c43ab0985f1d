// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestQueueAgainstSlice compares those that wait with a slice of them.
func TestQueueAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var naive, gone []*want
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "number") {
					x := &want{}
					q.add(x)
					naive = append(naive, x)
				}
			},
			"put back": func(*rapid.T) {
				x := &want{}
				q.putBack(x)
				naive = slices.Insert(naive, 0, x)
			},
			"remove": func(t *rapid.T) {
				for range min(rapid.IntRange(1, 20).Draw(t, "number"), len(naive)) {
					i := rapid.IntRange(0, len(naive)-1).Draw(t, "place")
					if !q.remove(naive[i]) {
						t.Fatal("it does not wait")
					}
					gone, naive = append(gone, naive[i]), slices.Delete(naive, i, i+1)
				}
			},
			"remove again": func(t *rapid.T) {
				if len(gone) > 0 && q.remove(rapid.SampledFrom(gone).Draw(t, "gone")) {
					t.Fatal("it waited")
				}
			},
			"": func(t *rapid.T) {
				if got := q.all(); !slices.Equal(got, naive) || q.size != len(naive) {
					t.Fatalf("%d wait, or others or in another order, want %d", len(got), len(naive))
				}
				if x := q.first(); (x == nil) != (len(naive) == 0) || x != nil && x != naive[0] {
					t.Fatal("it is another one's turn")
				}
			},
		})
	})
}
