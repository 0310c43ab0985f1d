// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package turns_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/turns"
)

// popAll returns what is given out until nothing comes.
func popAll(q *turns.Queue[string], may func(string) bool) string {
	var out []string
	for {
		item, _, ok := q.Pop(may)
		if !ok {
			return strings.Join(out, " ")
		}
		out = append(out, item)
	}
}

func TestQueue_TenantsTakeTurns(t *testing.T) {
	var q turns.Queue[string]
	for i := range 3 {
		q.Push(fmt.Sprint("a", i), 0, "a")
	}
	q.Push("b0", 4, "b")
	q.Push("c0", 0, "c")
	q.Push("c1", 0, "c")
	if got, want := popAll(&q, nil), "a0 b0 c0 a1 c1 a2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if q.Len() != 0 {
		t.Errorf("%d left", q.Len())
	}
}

func TestQueue_SharedItemTakesTheFirstTurn(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		before     []string // pushed for a, before the shared one
	}{
		{"a comes first", "s b0 b1", nil},
		{"b comes first, as a has more before it", "a0 b0 a1 b1 a2 s", []string{"a0", "a1", "a2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var q turns.Queue[string]
			for _, item := range tt.before {
				q.Push(item, 0, "a")
			}
			if len(tt.before) == 0 {
				q.Push("s", 0, "a", "b")
			}
			q.Push("b0", 0, "b")
			q.Push("b1", 0, "b")
			q.Push("s", 0, "a", "b")
			if got := popAll(&q, nil); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestQueue_ClassesWithinATenant(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		others     []int
	}{
		{"one other class", "0 0 0 0 3 0 0 0 0 3", []int{3}},
		{"two", "0 0 0 1 4 0 0 0 1 4", []int{1, 4}},
		{"all", "0 1 2 3 4 0 1 2 3 4", []int{1, 2, 3, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var q turns.Queue[string]
			for i := range 20 {
				for _, class := range append([]int{0}, tt.others...) {
					q.Push(fmt.Sprintf("%d-%d", class, i), class, "t")
				}
			}
			var got []string
			for range 10 {
				item, _, _ := q.Pop(nil)
				got = append(got, item[:1])
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQueue_RefusedTenantWaitsForResume(t *testing.T) {
	var q turns.Queue[string]
	q.Push("a0", 0, "a")
	q.Push("b0", 0, "b")
	q.Push("s", 0, "a", "b")
	asked := 0
	mayNotA := func(tenant string) bool { asked++; return tenant != "a" }
	if got := popAll(&q, mayNotA); got != "b0 s" {
		t.Errorf("while a may not: %q", got)
	}
	q.Push("a1", 0, "a")
	if got := popAll(&q, nil); got != "" || asked != 3 {
		t.Errorf("a was asked about again: %q, after %d questions", got, asked)
	}
	q.Resume("a")
	q.Resume("nobody")
	if got := popAll(&q, nil); got != "a0 a1" {
		t.Errorf("after Resume: %q", got)
	}
}

func TestQueue_PushAgain(t *testing.T) {
	var q turns.Queue[string]
	q.Push("x", 3, "a")
	q.Push("y", 1, "a")
	q.Push("b0", 1, "b")
	q.Push("x", 0, "a") // better; a keeps its turn
	q.Push("y", 4, "a") // no worse
	q.Push("z", 0, "a")
	q.Push("x", 0, "a") // keeps its place
	if got := popAll(&q, nil); got != "x b0 z y" {
		t.Errorf("got %q", got)
	}
	q.Push("x", 9)
	q.Push("x", -1, "c", "c")
	q.Remove("x")
	q.Remove("x")
	if got := popAll(&q, nil); got != "" || q.Len() != 0 {
		t.Errorf("after Remove: %q, length %d", got, q.Len())
	}
}

func TestQueue_TenantsOfAWaitingItemChange(t *testing.T) {
	var q turns.Queue[string]
	q.Push("x", 0, "a")
	q.Push("c0", 0, "c")
	q.Push("x", 0, "b")
	if item, tenant, _ := q.Pop(nil); item != "c0" || tenant != "c" {
		t.Errorf("got %s of %s", item, tenant)
	}
	if item, tenant, _ := q.Pop(nil); item != "x" || tenant != "b" {
		t.Errorf("got %s of %s", item, tenant)
	}
}

// TestQueue_KeepsNoRoom: a start pushes all questions at once, and then few ever wait.
func TestQueue_KeepsNoRoom(t *testing.T) {
	const items, left = 50_000, 10
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	var q turns.Queue[int]
	before := heap()
	for i := range items {
		q.Push(i, 0, fmt.Sprint("tenant-", i%1000))
	}
	t.Logf("an item that waits takes %d bytes", (heap()-before)/items)
	for range items - left {
		q.Pop(nil)
	}
	if kept := heap() - before; kept > items { // a byte of each; the maps had 30
		t.Errorf("%d items of %d keep %d bytes", left, items, kept)
	}
	for i := range left {
		if item, tenant, _ := q.Pop(nil); item != items-left+i || tenant != fmt.Sprint("tenant-", item%1000) {
			t.Errorf("after the maps were made anew %d of %s came", item, tenant)
		}
	}
}

// BenchmarkPopPush gives out an item and pushes it again.
func BenchmarkPopPush(b *testing.B) {
	const tenants = 10_000
	for _, refused := range []int{0, tenants - 1} {
		b.Run(fmt.Sprintf("tenants=%d/refused=%d", tenants, refused), func(b *testing.B) {
			var q turns.Queue[int]
			owner := make([]string, 2*tenants)
			may := map[string]bool{}
			for i := range owner {
				owner[i] = fmt.Sprint("tenant-", i%tenants)
				may[owner[i]] = i%tenants >= refused
				q.Push(i, i%turns.Classes, owner[i])
			}
			q.Pop(func(tenant string) bool { return may[tenant] })
			b.ReportAllocs()
			for b.Loop() {
				item, _, ok := q.Pop(func(tenant string) bool { return may[tenant] })
				if !ok {
					b.Fatal("nothing is given out")
				}
				q.Push(item, item%turns.Classes, owner[item])
			}
		})
	}
}
