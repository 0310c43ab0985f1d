// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestFollower_EndpointsComeGoAndRoll(t *testing.T) {
	c := newCluster(t)
	c.createService()
	f := c.follow(c.server.Config)
	f.wantUpstreams()

	c.createSlice("a", slice("10.0.0.1", ready(false)))
	c.createSlice("b", slice("10.0.0.9"))
	f.wantUpstreams("10.0.0.9:53")
	c.updateSlice("a", ready(true))
	f.wantUpstreams("10.0.0.1:53", "10.0.0.9:53")

	c.updateSlice("a", also("10.0.0.2")) // the successor starts
	f.wantUpstreams("10.0.0.1:53", "10.0.0.2:53", "10.0.0.9:53")
	c.updateSlice("a", terminating) // then the old one stops
	f.wantUpstreams("10.0.0.2:53", "10.0.0.9:53")

	c.updateSlice("a", on(5353))
	f.wantUpstreams("10.0.0.2:5353", "10.0.0.9:53")
	c.deleteSlice("b")
	f.wantUpstreams("10.0.0.2:5353")
	c.deleteSlice("a")
	f.pass(endpointsKept) // until then it is asked on
	f.wantUpstreams()
}

func TestFollower_ServiceComesGoesAndReturns(t *testing.T) {
	c := newCluster(t)
	c.createSlice("a", slice("10.0.0.1"))
	f := c.follow(c.server.Config)
	f.wantUpstreams()
	if diff := cmp.Diff(Facts{}, f.Facts(), byValue); diff != "" {
		t.Fatalf("facts without the Service (-want +got):\n%s", diff)
	}
	present := func(f Facts) bool { return f.Found && len(f.ClusterIPs) == 1 }
	absent := func(f Facts) bool { return !f.Found && f.Selector == nil && f.ClusterIPs == nil }

	c.createService()
	f.wantFacts("the Service", present)
	f.wantUpstreams("10.0.0.1:53")
	before := f.Facts().ClusterIPs[0]

	c.deleteService("kube-dns")
	f.pass(serviceKept)
	f.wantFacts("no Service", absent)
	f.wantUpstreams()

	c.createService()
	f.wantFacts("the Service again", present)
	f.wantUpstreams("10.0.0.1:53")
	if after := f.Facts().ClusterIPs[0]; after == before {
		t.Fatalf("the API server allocated %s twice, so this test has not seen a new address", after)
	}
}

// A Helm chart that is removed and installed again: nothing changes, and nobody is woken.
func TestFollower_AServiceThatIsGoneForAMomentChangesNothing(t *testing.T) {
	c := newCluster(t)
	c.createService(func(s *corev1.Service) { s.Spec.ClusterIP = "10.96.7.10" })
	c.createSlice("a", slice("10.0.0.1"))
	f := c.follow(c.server.Config, Options{PodServers: given.Addrs("10.96.7.10")})
	f.wantFacts("the Service", func(f Facts) bool { return f.Asked == AskedEndpoints })
	before := f.Facts()
	_, changed := f.Upstreams()

	c.deleteService("kube-dns")
	f.pass(endpointsKept - time.Second) // it has seen that the Service is gone, as it waits
	c.createService(func(s *corev1.Service) { s.Spec.ClusterIP = "10.96.7.10" })
	c.createService(func(s *corev1.Service) { s.Name = NodeLocalService }) // written last, so seen last
	f.wantFacts("the change after", func(f Facts) bool { return f.NodeLocalDNS })
	if n := len(f.changes); n != 0 {
		t.Errorf("%d more calls", n)
	}
	before.NodeLocalDNS = true
	if diff := cmp.Diff(before, f.Facts(), byValue); diff != "" {
		t.Errorf("facts (-before +after):\n%s", diff)
	}
	select {
	case <-changed:
		t.Error("the upstreams changed")
	default:
	}
}

// EKS Auto Mode and the like: no Service at first, then a dummy without endpoints, then one with.
func TestFollower_StandsInUntilThereAreEndpoints(t *testing.T) {
	c := newCluster(t)
	f := c.follow(c.server.Config, Options{PodServers: given.Addrs("10.96.8.10")})
	f.wantUpstreams("10.96.8.10:53")
	want := Facts{Asked: AskedStandIns, StandIns: given.Addrs("10.96.8.10")}
	if diff := cmp.Diff(want, f.Facts(), byValue); diff != "" {
		t.Errorf("facts without the Service (-want +got):\n%s", diff)
	}
	c.createService(func(s *corev1.Service) { s.Spec.ClusterIP = "10.96.8.10" })
	f.wantFacts("a Service without endpoints", func(f Facts) bool { return f.Found && f.Asked == AskedStandIns })
	f.wantUpstreams("10.96.8.10:53")
	c.createSlice("a", slice("10.0.0.1"))
	f.wantFacts("endpoints", func(f Facts) bool { return f.Asked == AskedEndpoints && f.StandIns == nil })
	f.wantUpstreams("10.0.0.1:53")
	c.updateSlice("a", ready(false))
	f.pass(endpointsKept)
	f.wantFacts("no endpoint for a while", func(f Facts) bool { return f.Asked == AskedStandIns })
	f.wantUpstreams("10.96.8.10:53")
}

// Both from the first state that WaitForSync promises: an empty one before it would be published as "all upstreams left".
func TestEdge25_FollowerHasBothFamiliesOnceSynced(t *testing.T) {
	c := newCluster(t)
	c.createService(func(s *corev1.Service) { s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack) })
	c.createSlice("v4", slice("10.0.0.1"))
	c.createSlice("v6", slice("fd00:1::1", ofType(discoveryv1.AddressTypeIPv6)))
	f := c.follow(c.server.Config)
	got, _ := f.Upstreams()
	if diff := cmp.Diff(addrPorts("10.0.0.1:53", "[fd00:1::1]:53"), got, byValue); diff != "" {
		t.Errorf("upstreams (-want +got):\n%s", diff)
	}
	ips := f.Facts().ClusterIPs
	if len(ips) != 2 || !ips[0].Is4() || !ips[1].Is6() {
		t.Errorf("cluster IPs: want one of each family, got %v", ips)
	}
}

func TestFollower_FollowsNodeLocalDNS(t *testing.T) {
	c := newCluster(t)
	c.createService()
	f := c.follow(c.server.Config)
	if f.Facts().NodeLocalDNS {
		t.Error("NodeLocal DNSCache before it is there")
	}
	c.createService(func(s *corev1.Service) { s.Name = NodeLocalService })
	f.wantFacts("NodeLocal DNSCache", func(f Facts) bool { return f.NodeLocalDNS })
	c.deleteService(NodeLocalService)
	f.wantFacts("no NodeLocal DNSCache", func(f Facts) bool { return f.Found && !f.NodeLocalDNS })
}

func TestFollower_IgnoresOtherServices(t *testing.T) {
	c := newCluster(t)
	c.createService()
	f := c.follow(c.server.Config)
	other := slice("10.0.0.66")
	other.Labels[discoveryv1.LabelServiceName] = "kube-dns-evil"
	c.createSlice("kube-dns-z", other)
	unlabelled := slice("10.0.0.67")
	unlabelled.Labels = nil
	c.createSlice("kube-dns-y", unlabelled)
	c.createSlice("kube-dns-a", slice("10.0.0.1")) // written last, so seen last
	f.wantUpstreams("10.0.0.1:53")
}

// What is the same to the resolver must not wake it. The facts change last, on the same watch, so all before was seen.
func TestFollower_EqualUpstreamsWakeNobody(t *testing.T) {
	c := newCluster(t)
	c.createService(namedTargets)
	c.createSlice("a", slice("10.0.0.1", also("10.0.0.2")))
	f := c.follow(c.server.Config)
	_, changed := f.Upstreams()

	c.updateSlice("a", func(s *discoveryv1.EndpointSlice) {
		s.Annotations = map[string]string{"note": "nothing"}
		s.Endpoints[0], s.Endpoints[1] = s.Endpoints[1], s.Endpoints[0]
	})
	c.updateSlice("a", func(s *discoveryv1.EndpointSlice) { s.Ports[1].Port = new(int32(5353)) })
	f.wantFacts("TCP at 5353", func(f Facts) bool { return len(f.TargetPorts) == 2 && f.TargetPorts[1] == tcp5353 })
	select {
	case <-changed:
		t.Error("woken although the set is the same")
	default:
	}

	c.updateSlice("a", also("10.0.0.3"))
	f.wantUpstreams("10.0.0.1:53", "10.0.0.2:53", "10.0.0.3:53")
	select {
	case <-changed:
	default:
		t.Error("not woken although the set changed")
	}
}

// The second change of upstreams is only seen after OnChange would have been called for the first.
func TestFollower_EqualFactsCallNobody(t *testing.T) {
	c := newCluster(t)
	c.createService()
	c.createSlice("a", slice("10.0.0.1"))
	f := c.follow(c.server.Config)
	f.wantFacts("the Service", func(f Facts) bool { return f.Found })
	f.wantUpstreams("10.0.0.1:53")
	c.updateSlice("a", also("10.0.0.2"))
	f.wantUpstreams("10.0.0.1:53", "10.0.0.2:53")
	if n := len(f.changes); n != 0 {
		t.Errorf("%d calls although the facts are the same", n)
	}
	c.updateService(func(s *corev1.Service) { s.Spec.Selector["tier"] = "new" })
	f.wantFacts("a new selector", func(f Facts) bool { return f.Selector["tier"] == "new" })
}

func TestFollower_OnChangeWhileRunning(t *testing.T) {
	c := newCluster(t)
	f := c.follow(c.server.Config)
	late := make(chan bool, 1)
	f.OnChange(func() { late <- f.WaitForSync(t.Context()) }) // no lock is held, and the first state was announced
	c.createService()
	f.wantFacts("the Service", func(f Facts) bool { return f.Found })
	select {
	case <-late:
	case <-time.After(patience):
		t.Error("not called")
	}
}

func TestFollower_EndOfContextIsNoError(t *testing.T) {
	service := types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}
	t.Run("while following", func(t *testing.T) {
		if err := newCluster(t).follow(plane.Server(t).Config).stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("while syncing", func(t *testing.T) {
		f := start(t, &rest.Config{Host: closedPort(t)}, service)
		if err := f.stop(); err != nil {
			t.Error(err)
		}
		wantUnsynced(t, f.Follower)
	})
}

func TestFollower_LeavesNoGoroutines(t *testing.T) {
	c := newCluster(t)
	c.createService()
	others := goleak.IgnoreCurrent()
	// client-go keeps its connections and shares them between all clients of one configuration.
	connections := goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop")
	if err := c.follow(c.server.Config).stop(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, others, connections)
}

func TestNew_RefusesHalfAName(t *testing.T) {
	for _, service := range []types.NamespacedName{{Name: "kube-dns"}, {Namespace: "kube-system"}} {
		if _, err := New(&rest.Config{}, service, Options{}); err == nil {
			t.Errorf("%q accepted", service)
		}
	}
	if _, err := New(&rest.Config{}, types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}, Options{}); err != nil {
		t.Error(err)
	}
}

func TestFollower_RunsOnStandbys(t *testing.T) {
	if (&Follower{}).NeedLeaderElection() {
		t.Error("want no leader election")
	}
}
