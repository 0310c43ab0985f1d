// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package turns_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/internal/turns"
)

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
