// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package turns_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

// model counts, for each tenant and each of its classes, what others got while it waited.
type model struct {
	q       turns.Queue[int]
	waiting map[int][]string          // tenants of an item
	class   map[int]int               // of an item
	aside   map[string]bool           // refused since the last Resume
	others  map[string]map[string]int // turns of others since the tenant began to wait for this turn
	passed  map[string]*[turns.Classes]int
}

func (m *model) has(tenant string, class int) bool {
	for item, tenants := range m.waiting {
		if m.class[item] == class && slices.Contains(tenants, tenant) {
			return true
		}
	}
	return false
}

func (m *model) hasAny(tenant string) bool {
	for _, tenants := range m.waiting {
		if slices.Contains(tenants, tenant) {
			return true
		}
	}
	return false
}

// forget drops what is counted for those who do not wait.
func (m *model) forget() {
	for tenant, passed := range m.passed {
		for class := range passed {
			if !m.has(tenant, class) {
				passed[class] = 0
			}
		}
		if !m.hasAny(tenant) {
			delete(m.others, tenant)
			delete(m.passed, tenant)
			delete(m.aside, tenant)
		}
	}
}

func (m *model) push(item, class int, tenants []string) {
	if _, waits := m.waiting[item]; !waits || class < m.class[item] {
		m.class[item] = class
	}
	m.waiting[item] = tenants
	m.q.Push(item, class, tenants...)
	m.forget()
	for _, tenant := range tenants {
		if m.passed[tenant] == nil {
			m.passed[tenant], m.others[tenant] = new([turns.Classes]int), map[string]int{}
		}
	}
}

func (m *model) pop(t *rapid.T, refused map[string]bool) {
	item, tenant, ok := m.q.Pop(func(tenant string) bool {
		if m.aside[tenant] {
			t.Fatalf("%s was set aside, and is asked about", tenant)
		}
		if refused[tenant] {
			m.aside[tenant] = true
			delete(m.others, tenant)
		}
		return !refused[tenant]
	})
	if !ok {
		for _, tenants := range m.waiting {
			for _, tenant := range tenants {
				if !m.aside[tenant] {
					t.Fatalf("%s waits and may have a turn, and nothing is given out", tenant)
				}
			}
		}
		return
	}
	tenants, waits := m.waiting[item]
	if !waits || !slices.Contains(tenants, tenant) || m.aside[tenant] {
		t.Fatalf("item %d was given to %s, of %v", item, tenant, tenants)
	}
	class := m.class[item]
	for other := range m.others {
		if other == tenant {
			continue
		}
		if m.others[other][tenant]++; m.others[other][tenant] > 1 {
			t.Fatalf("%s had two turns while %s waited for one", tenant, other)
		}
	}
	m.others[tenant] = map[string]int{}
	for c := range turns.Classes {
		if c != class && m.has(tenant, c) {
			if m.passed[tenant][c]++; m.passed[tenant][c] >= turns.Classes {
				t.Fatalf("class %d of %s was passed over %d times", c, tenant, m.passed[tenant][c])
			}
		}
	}
	m.passed[tenant][class] = 0
	delete(m.waiting, item)
	delete(m.class, item)
	m.forget()
}

// Whatever is pushed, removed, refused and resumed: each item is given out once, no tenant gets two turns while another waits for
// one, and no class is passed over five times.
func TestProperty_FairAndNothingLost(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		m := model{
			waiting: map[int][]string{}, class: map[int]int{}, aside: map[string]bool{},
			others: map[string]map[string]int{}, passed: map[string]*[turns.Classes]int{},
		}
		tenant := rapid.SampledFrom(names)
		item := rapid.IntRange(0, 30)
		refused := map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				m.push(item.Draw(t, "item"), rapid.IntRange(0, turns.Classes-1).Draw(t, "class"),
					rapid.SliceOfNDistinct(tenant, 1, 3, rapid.ID).Draw(t, "tenants"))
			},
			"pop":  func(t *rapid.T) { m.pop(t, refused) },
			"pop2": func(t *rapid.T) { m.pop(t, refused) },
			"remove": func(t *rapid.T) {
				gone := item.Draw(t, "item")
				delete(m.waiting, gone)
				delete(m.class, gone)
				m.q.Remove(gone)
				m.forget()
			},
			"refuse": func(t *rapid.T) { refused[tenant.Draw(t, "tenant")] = true },
			"resume": func(t *rapid.T) {
				name := tenant.Draw(t, "tenant")
				delete(refused, name)
				if m.aside[name] {
					delete(m.aside, name)
					m.others[name] = map[string]int{}
				}
				m.q.Resume(name)
			},
			"": func(t *rapid.T) {
				if m.q.Len() != len(m.waiting) {
					t.Fatalf("%d wait, Len is %d", len(m.waiting), m.q.Len())
				}
			},
		})
		for _, name := range names {
			m.q.Resume(name)
		}
		clear(m.aside)
		for range len(maps.Clone(m.waiting)) {
			m.pop(t, nil)
		}
		if m.q.Len() != 0 {
			t.Fatalf("%d are left", m.q.Len())
		}
	})
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
