// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFewAgainstSlice compares a list with a slice.
func TestFewAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list few[int]
		var naive []int
		place := func(t *rapid.T, size int) int { return rapid.IntRange(0, size-1).Draw(t, "place") }
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				x, i := rapid.IntRange(1, 9).Draw(t, "element"), place(t, len(naive)+1)
				list.insert(i, x)
				naive = slices.Insert(naive, i, x)
			},
			"remove": func(t *rapid.T) {
				if len(naive) > 0 {
					i := place(t, len(naive))
					list.remove(i)
					naive = slices.Delete(naive, i, i+1)
				}
			},
			"swap out": func(t *rapid.T) {
				if last := len(naive) - 1; last >= 0 {
					i := place(t, len(naive))
					list.swapOut(i)
					naive[i] = naive[last]
					naive = naive[:last]
				}
			},
			"": func(t *rapid.T) {
				if got := list.all(); !slices.Equal(got, naive) {
					t.Fatalf("%v, want %v", got, naive)
				}
			},
		})
	})
}
