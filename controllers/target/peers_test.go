// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

func keyIn(tenant, policy string) Key {
	return KeyOf(client.ObjectKey{Namespace: tenant, Name: policy})
}

// counting are counts, and who was awakened.
type counting struct {
	*peerCounts
	awake []Key
}

func newCounting(perTenant, inAll int) *counting {
	c := &counting{peerCounts: newPeerCounts(Options{MaxPeersPerTenant: perTenant, MaxPeers: inAll})}
	c.awaken = func(k Key) { c.awake = append(c.awake, k) }
	return c
}

// needs lets a target be looked at that has so many live and needs so many in all: it writes what it may.
func (c *counting) needs(key Key, live, want int) (has int, limit metrics.Limit) {
	room := c.look(key, live)
	has = live + c.reserve(key, min(want-live, room.peers)).peers
	c.settle(key, has, has < want)
	return has, room.limit
}

// awakened returns who was awakened since the last call.
func (c *counting) awakened() []Key {
	awake := c.awake
	c.awake = nil
	return awake
}

func TestPeers_Rooms(t *testing.T) {
	c := newCounting(100, 1000)
	for _, step := range []struct {
		tenant, policy   string
		live, want, gets int
	}{
		{"a", "one", 0, 60, 60},
		{"a", "two", 0, 60, 40},
		{"a", "two", 40, 60, 40}, // looked at again
		{"b", "one", 0, 100, 100},
		{"a", "one", 20, 20, 20},
		{"a", "two", 40, 60, 60},
		{"a", "three", 200, 250, 200}, // a start with a lower limit
		{"a", "one", 20, 21, 20},
	} {
		if got, limit := c.needs(keyIn(step.tenant, step.policy), step.live, step.want); got != step.gets || limit != metrics.PeersPerNamespace {
			t.Errorf("%+v: got %d by %s", step, got, limit)
		}
	}
	if c.all != 380 || c.tenants["a"].has != 280 {
		t.Errorf("in all %d, of a %d", c.all, c.tenants["a"].has)
	}
}

// The last fifth is for those who have little.
func TestPeers_OfTheProcess(t *testing.T) {
	c := newCounting(1000, 100)
	if got, limit := c.needs(keyIn("large", "one"), 0, 500); got != 80 || limit != metrics.PeersOfProcess {
		t.Errorf("the first got %d by %s", got, limit)
	}
	if got, limit := c.needs(keyIn("small", "one"), 0, 500); got != 10 || limit != metrics.PeersOfProcess {
		t.Errorf("the second got %d by %s", got, limit)
	}
}

func TestPeers_TheDefaults(t *testing.T) {
	p := newPeerCounts(Options{})
	if p.perTenant != DefaultMaxPeersPerTenant || p.inAll != DefaultMaxPeers {
		t.Errorf("%+v", p)
	}
}

// What is live counts before any newcomer, also of those that were not looked at yet.
func TestPeers_Begin(t *testing.T) {
	c := newCounting(100, 1000)
	old, fresh := keyIn("a", "old"), keyIn("a", "fresh")
	if err := c.begin(func() (map[Key]int, error) { return nil, errors.New("the cache is closed") }); err == nil {
		t.Error("an error is lost")
	}
	count := func() (map[Key]int, error) { return map[Key]int{old: 90, keyIn("b", "old"): 5}, nil }
	for range 2 {
		if err := c.begin(count); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := c.needs(fresh, 0, 50); got != 10 {
		t.Errorf("a newcomer got %d", got)
	}
	if got, _ := c.needs(old, 90, 90); got != 90 || c.all != 105 {
		t.Errorf("who was there has %d, all %d", got, c.all)
	}
	c.forget(keyIn("b", "old")) // nobody's
	if c.all != 100 || len(c.tenants) != 1 {
		t.Errorf("in all %d, %d tenants", c.all, len(c.tenants))
	}
}

// Who waits is looked at again when there is room: one of a tenant at a time, and the next after that.
func TestPeers_WhoWaits(t *testing.T) {
	c := newCounting(100, 1000)
	first, second, third := keyIn("a", "first"), keyIn("a", "second"), keyIn("a", "third")
	c.needs(first, 0, 100)
	c.needs(second, 0, 30)
	c.needs(third, 0, 30)
	if got := c.awakened(); len(got) > 0 {
		t.Fatalf("without room %v were awakened", got)
	}
	c.needs(first, 100, 100) // nothing has changed
	if got := c.awakened(); len(got) > 0 {
		t.Fatalf("without room %v were awakened", got)
	}
	c.settle(first, 50, false)
	if got := c.awakened(); !slices.Equal(got, []Key{second}) || !c.isAwake(second) || c.isAwake(third) {
		t.Fatalf("with room for 50 %v were awakened", got)
	}
	c.settle(first, 49, false)
	if got := c.awakened(); len(got) > 0 {
		t.Fatalf("while one is looked at %v were awakened", got)
	}
	if got, _ := c.needs(second, 0, 30); got != 30 || c.isAwake(second) {
		t.Errorf("the second has %d", got)
	}
	if got := c.awakened(); !slices.Equal(got, []Key{third}) {
		t.Fatalf("after it %v were awakened", got)
	}
	if got, _ := c.needs(third, 0, 30); got != 21 {
		t.Errorf("the third has %d", got)
	}
	c.forget(first)
	if got := c.awakened(); !slices.Equal(got, []Key{third}) {
		t.Fatalf("after the first went %v were awakened", got)
	}
	c.forget(third) // while it is awake
	c.forget(second)
	if c.all != 0 || len(c.tenants) != 0 || len(c.short) != 0 {
		t.Errorf("something is left: %d, %v", c.all, c.tenants)
	}
}

// Of several tenants the one that has the least comes first, and none keeps another from its turn.
func TestPeers_TenantsThatWait(t *testing.T) {
	c := newCounting(1000, 100) // 80 for all, and a part of 20 each
	c.needs(keyIn("c", "one"), 0, 70)
	a, b := keyIn("a", "one"), keyIn("b", "one")
	c.needs(a, 0, 10)
	c.needs(a, 10, 40)
	c.needs(b, 0, 5)
	c.needs(b, 5, 40)
	c.awakened()
	c.needs(keyIn("c", "one"), 30, 30)
	if got := c.awakened(); !slices.Equal(got, []Key{b, a}) {
		t.Fatalf("%v were awakened", got)
	}
	got, _ := c.needs(b, c.tenants["b"].has, 40)
	if got < 30 {
		t.Errorf("b has %d", got)
	}
	if got := c.awakened(); len(got) > 0 {
		t.Errorf("%v were awakened while a is looked at", got)
	}
}

// Something else than room is in the way of a target whose peers do not become live: it must not be looked at for ever.
func TestPeers_WhatIsGivenAndNotLive(t *testing.T) {
	c := newCounting(100, 1000)
	key := keyIn("a", "one")
	room := c.look(key, 0)
	c.reserve(key, room.peers)
	c.settle(key, 0, true)
	if got := c.awakened(); len(got) > 0 || c.all != 0 {
		t.Errorf("%v were awakened, in all %d", got, c.all)
	}
}

func TestPeers_FewAreAwakenedAtOnce(t *testing.T) {
	c := newCounting(1000, 1000)
	c.needs(keyIn("large", "one"), 1000, 1000)
	for i := range 30 {
		c.needs(keyIn(fmt.Sprintf("t%02d", i), "one"), 0, 1)
	}
	c.awakened()
	c.forget(keyIn("large", "one"))
	got := c.awakened()
	if len(got) != maxAwakened || got[0] != keyIn("t00", "one") {
		t.Fatalf("%v were awakened", got)
	}
	seen := map[Key]bool{}
	for todo := got; len(todo) > 0; todo = c.awakened() {
		for _, key := range todo {
			seen[key] = true
			c.needs(key, 0, 1)
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d of 30 had a turn", len(seen))
	}
}

// Workers look at targets of one tenant at once, and never take the same room.
func TestPeers_AtOnce(t *testing.T) {
	const limit, policies = 1000, 40
	p := newPeerCounts(Options{MaxPeersPerTenant: limit, MaxPeers: 10 * limit})
	var mu sync.Mutex
	queue := make(chan Key, 1000)
	p.awaken = func(k Key) { queue <- k }
	live := map[Key]int{}
	look := func(key Key) {
		mu.Lock()
		has := live[key]
		mu.Unlock()
		room := p.look(key, has)
		taken := p.reserve(key, min(100-has, room.peers)).peers
		mu.Lock()
		live[key] = has + taken
		all := 0
		for _, n := range live {
			all += n
		}
		mu.Unlock()
		if all > limit {
			t.Errorf("%d live", all)
		}
		p.settle(key, has+taken, has+taken < 100)
	}
	var workers sync.WaitGroup
	for i := range policies {
		workers.Go(func() { look(keyIn("a", fmt.Sprint(i))) })
	}
	workers.Wait()
	for len(queue) > 0 { // none of one key at once, as the queue promises
		look(<-queue)
	}
	if p.all != limit {
		t.Errorf("%d of %d are used", p.all, limit)
	}
}

// Whatever comes and goes: counts are sums, no limit is passed by what is given, and while there is room nobody waits who is not awake.
func TestProperty_Peers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCounting(60, 100)
		live, want := map[Key]int{}, map[Key]int{}
		aKey := rapid.Custom(func(t *rapid.T) Key {
			return keyIn(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "policy"))
		})
		look := func(key Key) {
			before := c.all
			live[key], _ = c.needs(key, live[key], want[key])
			if c.all > max(before, 100) {
				t.Fatalf("%d were given", c.all)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"edit": func(t *rapid.T) {
				key := aKey.Draw(t, "key")
				want[key] = rapid.IntRange(0, 50).Draw(t, "want")
				live[key] = min(live[key], want[key])
				look(key)
			},
			"delete": func(t *rapid.T) {
				key := aKey.Draw(t, "key")
				delete(live, key)
				delete(want, key)
				c.forget(key)
			},
			"awake": func(t *rapid.T) {
				for _, key := range c.awakened() {
					if _, there := want[key]; there {
						look(key)
					}
				}
			},
			"": func(t *rapid.T) {
				all := 0
				for _, n := range live {
					all += n
				}
				if c.all != all {
					t.Fatalf("%d are counted, there are %d", c.all, all)
				}
				for _, tenant := range c.tenants {
					if tenant.has > 60 {
						t.Fatalf("%s has %d", tenant.name, tenant.has)
					}
					if tenant.awake == (Key{}) && tenant.waiting.Len() > 0 && c.room(tenant).peers > 0 {
						t.Fatalf("%s waits although there is room for %d", tenant.name, c.room(tenant).peers)
					}
					if tenant.awake != (Key{}) && !slices.Contains(c.awake, tenant.awake) {
						t.Fatalf("%v is awake, and nobody was told", tenant.awake)
					}
				}
			},
		})
	})
}
