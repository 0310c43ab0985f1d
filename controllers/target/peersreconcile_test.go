// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
)

// crowd are policies whose NetworkPolicies may have few peers together.
type crowd struct {
	*world
	awake []Key
}

// dnsPeers are those of the DNS rule, which every object has.
const dnsPeers = 1

func newCrowd(t *testing.T, o Options) *crowd {
	c := &crowd{world: newWorld(t, interceptor.Funcs{})}
	c.restart(o)
	return c
}

// restart forgets what was counted, as a new process does, which may have other limits.
func (c *crowd) restart(o Options) {
	o.MaxStale = c.r.options.MaxStale
	old := c.r
	c.results = NewResults()
	c.r = New(old.api, old.book, old.dns, old.guard, old.fence, c.results, old.clock, old.metrics, o)
	c.awake = nil
	c.r.OnRoom(func(k Key) { c.awake = append(c.awake, k) })
}

// add makes a policy of one name that has so many addresses.
func (c *crowd) add(namespace, name string, addresses int) {
	c.t.Helper()
	host := fmt.Sprintf("%s.%s.example", name, namespace)
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + name), Generation: 1, CreationTimestamp: metav1.NewTime(testNow),
	}}
	policy.Spec.Egress = []v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{{FQDN: v1alpha1.FQDN(host)}}}}
	if err := c.api.Create(c.t.Context(), policy); err != nil {
		c.t.Fatal(err)
	}
	c.book.Want(keyIn(namespace, name).Owner, wantsOf(policy), c.clock.Now())
	var all []string
	for i := range addresses {
		all = append(all, fmt.Sprintf("192.0.2.%d", 1+i))
	}
	c.answerFor(host, all...)
}

// look looks at a policy, and returns how many addresses are allowed and the Result.
func (c *crowd) look(namespace, name string) (int, *Result) {
	c.t.Helper()
	key := keyIn(namespace, name)
	if _, err := c.r.Reconcile(c.t.Context(), key); err != nil {
		c.t.Fatal(err)
	}
	list := &networkingv1.NetworkPolicyList{}
	if err := c.api.List(c.t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{"fqdnegress.dev/policy": name}); err != nil {
		c.t.Fatal(err)
	}
	results := c.results.Of(key.Owner)
	if len(results) != 1 {
		c.t.Fatalf("%d results of %v", len(results), key)
	}
	return peersIn(list.Items) - dnsPeers, results[0]
}

func (c *crowd) delete(namespace, name string) {
	c.t.Helper()
	policy := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-fqdn"}}
	for _, o := range []client.Object{policy, np} {
		if err := c.api.Delete(c.t.Context(), o); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.r.Reconcile(c.t.Context(), keyIn(namespace, name)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) wantLook(namespace, name string, want, noRoom int, limit metrics.Limit) {
	c.t.Helper()
	if got, result := c.look(namespace, name); got != want || result.NoRoom != noRoom || result.RoomLimit != limit || result.LeftOut != 0 {
		c.t.Errorf("%s/%s: %d are allowed, %d left out by %q; want %d, %d, %q", namespace, name, got, result.NoRoom, result.RoomLimit, want, noRoom, limit)
	}
}

func (c *crowd) wantAwake(want ...Key) {
	c.t.Helper()
	if !slices.Equal(c.awake, want) {
		c.t.Errorf("%v are looked at again, want %v", c.awake, want)
	}
	c.awake = nil
}

func TestReconcile_PeersOfATenantAreBounded(t *testing.T) {
	c := newCrowd(t, Options{MaxPeersPerTenant: 2*dnsPeers + 10})
	c.add("crowd", "first", 8)
	c.add("crowd", "second", 8)
	c.add("other", "first", 8)
	c.wantLook("crowd", "first", 8, 0, "")
	c.wantLook("crowd", "second", 2, 6, metrics.PeersPerNamespace)
	c.wantLook("other", "first", 8, 0, "")
	c.wantAwake()
	if version := c.versionOf("crowd", "second"); version == "" {
		t.Error("it is not there")
	} else if c.wantLook("crowd", "second", 2, 6, metrics.PeersPerNamespace); c.versionOf("crowd", "second") != version {
		t.Error("it was written again for nothing")
	}

	c.delete("crowd", "first")
	c.wantAwake(keyIn("crowd", "second"))
	c.wantLook("crowd", "second", 8, 0, "")
	c.wantAwake()
}

func (c *crowd) versionOf(namespace, name string) string {
	c.t.Helper()
	np := &networkingv1.NetworkPolicy{}
	if err := c.api.Get(c.t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-fqdn"}, np); err != nil {
		c.t.Fatal(err)
	}
	return np.ResourceVersion
}

func TestReconcile_PeersOfTheProcessAreBounded(t *testing.T) {
	c := newCrowd(t, Options{MaxPeers: 100})
	for i, want := range []int{30, 30, 80 - 60 - 3*dnsPeers} {
		name := fmt.Sprint("large-", i)
		c.add("crowd", name, 30)
		limit, noRoom := metrics.PeersOfProcess, 30-want
		if noRoom == 0 {
			limit = ""
		}
		c.wantLook("crowd", name, want, noRoom, limit)
	}
	c.add("other", "small", 5)
	c.wantLook("other", "small", 5, 0, "")
}

// A process that starts with a lower limit takes nothing away, and gives nothing to a newcomer before it knows what is there.
func TestReconcile_PeersOverAStart(t *testing.T) {
	c := newCrowd(t, Options{})
	c.add("crowd", "first", 8)
	c.add("crowd", "second", 8)
	c.wantLook("crowd", "first", 8, 0, "")
	c.wantLook("crowd", "second", 8, 0, "")

	c.restart(Options{MaxPeersPerTenant: 12})
	c.add("crowd", "a-newcomer", 8)
	c.wantLook("crowd", "a-newcomer", 0, 8, metrics.PeersPerNamespace)
	c.wantLook("crowd", "second", 8, 0, "")
	c.wantLook("crowd", "first", 8, 0, "")
	c.answerFor("first.crowd.example", "198.51.100.1", "198.51.100.2", "192.0.2.3")
	if got, result := c.look("crowd", "first"); got != 8 || result.NoRoom != 2 {
		t.Errorf("after two addresses moved %d are allowed, and %d left out", got, result.NoRoom)
	}
	c.wantAwake()
	c.delete("crowd", "second")
	c.wantAwake(keyIn("crowd", "a-newcomer"))
}

// Workers look at the policies of a tenant at once.
func TestReconcile_PeersAtOnce(t *testing.T) {
	const policies, addresses, limit = 12, 20, 100
	c := newCrowd(t, Options{MaxPeersPerTenant: limit})
	c.r.book = c.book.Book // the telling one is for one worker
	for i := range policies {
		c.add("crowd", fmt.Sprint("policy-", i), addresses)
	}
	var workers sync.WaitGroup
	for i := range policies {
		workers.Go(func() {
			if _, err := c.r.Reconcile(t.Context(), keyIn("crowd", fmt.Sprint("policy-", i))); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	all, noRoom := 0, 0
	for i := range policies {
		n, result := c.look("crowd", fmt.Sprint("policy-", i))
		all, noRoom = all+n+dnsPeers, noRoom+result.NoRoom
	}
	if all < limit || all >= limit+policies*dnsPeers || noRoom != policies*(addresses+dnsPeers)-all {
		t.Errorf("%d peers, %d are left out", all, noRoom)
	}
}

// A policy in mode Audit needs no room, and tells what would be allowed.
func TestReconcile_PeersOfAnAudit(t *testing.T) {
	c := newCrowd(t, Options{MaxPeersPerTenant: dnsPeers + 3})
	c.add("crowd", "first", 3)
	c.wantLook("crowd", "first", 3, 0, "")
	c.add("crowd", "second", 8)
	policy := &v1alpha1.FQDNEgressPolicy{}
	if err := c.api.Get(t.Context(), client.ObjectKey{Namespace: "crowd", Name: "second"}, policy); err != nil {
		t.Fatal(err)
	}
	policy.Spec.Mode = v1alpha1.ModeAudit
	if err := c.api.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if _, result := c.look("crowd", "second"); result.AddressCount != 8 || result.NoRoom != 0 {
		t.Errorf("%d addresses would be allowed, %d left out", result.AddressCount, result.NoRoom)
	}
}
