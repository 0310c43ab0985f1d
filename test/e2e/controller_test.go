// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The tests of this file disturb the controller or what it asks, so they have the cluster for themselves.

// controllerGoesAway: what is allowed stays allowed while nobody writes, and the next one writes again.
func controllerGoesAway(t *testing.T) {
	s := newScene(t)
	www, moving := s.domain("www"), s.domain("moving")
	s.setName(t, www, first, first6)
	s.setName(t, moving, second)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www, moving)))
	s.eventuallyAllowed(app, url(www, 80))
	s.eventuallyAllowed(app, url(moving, 80))

	for i, how := range []struct {
		name    string
		away    func(*scene)
		atMost  time.Duration // without a leader
		because string
	}{
		{
			"leader crashed, standby takes over", func(s *scene) { s.crash(s.leader()) },
			leaseDuration + 2*leaseRetry + slack, "the lease runs out, seen late by a retry, and is taken by the next",
		},
		{
			"all crashed at once", func(s *scene) { s.crash(s.controllers()...) },
			restartDelay + leaseDuration + leaseRetry + slack, "who starts anew waits for the whole lease",
		},
		{
			"rolled", func(s *scene) { s.restart(controllerNamespace, controllerName) },
			leaseRetry + slack, "the lease was released, not left to run out",
		},
	} {
		streams := []*stream{
			s.traffic(app, www+".", "80"),
			s.open(app, www+".", "80"),
			s.traffic(app, "-network=ip6", "-every=50ms", www+".", "80"),
		}
		nobody := s.handover(func() { how.away(s) })
		if t.Logf("%s: nobody led for %s", how.name, nobody); nobody > how.atMost {
			t.Errorf("%s: nobody led for %s, want at most %s: %s", how.name, nobody, how.atMost, how.because)
		}
		s.wantBlocked(app, url(third, 80))
		next := fmt.Sprintf("203.0.113.%d", 10+i)
		s.setName(t, moving, next)
		s.eventuallyAllowed(app, url(next, 80))
		for _, st := range streams {
			st.wantNoneDropped()
		}
		if err := s.rolledOut(t.Context(), controllerNamespace, controllerName); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClusterDNSRolled: both replicas of the cluster's DNS are replaced, with caches that know nothing, while a pod asks for
// a name whose answers rotate. Whatever it is told, it reaches.
func TestClusterDNSRolled(t *testing.T) {
	s := newScene(t)
	www := s.domain("www")
	pool := []string{first, second, third, "198.51.100.4", "198.51.100.5", "198.51.100.6"}
	s.setPool(t, www, 2, pool...)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www)))
	for _, address := range pool {
		s.eventuallyAllowed(app, url(address, 80))
	}
	flow := s.traffic(app, www+".", "80")
	s.restart("kube-system", "coredns")
	if err := s.rolledOut(t.Context(), "kube-system", "coredns"); err != nil {
		t.Fatal(err)
	}
	s.setName(t, www, "198.51.100.7")
	s.eventuallyAllowed(app, url("198.51.100.7", 80)) // the new replicas are asked
	s.wantBlocked(app, url("198.51.100.8", 80))
	// That one may have been told a moment before it was allowed. A lookup may fail: DNS itself is what moves.
	flow.wantNoneDroppedBut("198.51.100.7")
}

// TestTheTestsSeeABlockAndALeak: with nobody there to repair it, a rule is taken away by hand, then one is opened, and the
// checks that all tests use notice. Then the controller comes back and repairs what was done while it was away.
func TestTheTestsSeeABlockAndALeak(t *testing.T) {
	s := newScene(t)
	www := s.domain("www")
	app := s.appThatMayCall(www, first)
	s.wantBlocked(app, url(second, 80))

	s.scale(controllerNamespace, controllerName, 0)
	t.Cleanup(func() { s.scale(controllerNamespace, controllerName, 2) })
	np := &networkingv1.NetworkPolicy{}
	s.get("app-fqdn", np)
	s.editNetworkPolicy("app-fqdn", func(spec *networkingv1.NetworkPolicySpec) { spec.Egress = nil })
	s.eventuallySeen(errKeptFrom, func(ctx context.Context) error { return app.allowed(ctx, url(first, 80)) })
	s.editNetworkPolicy("app-fqdn", func(spec *networkingv1.NetworkPolicySpec) {
		spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
	})
	s.eventuallySeen(errReaches, func(ctx context.Context) error { return app.blocked(ctx, url(second, 80)) })

	s.scale(controllerNamespace, controllerName, 2)
	s.eventuallyBlocked(app, url(second, 80))
	s.wantAllowed(app, url(first, 80))
}

// eventuallySeen waits until a check finds that.
func (s *scene) eventuallySeen(that error, check func(context.Context) error) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error {
		err := check(ctx)
		if errors.Is(err, that) {
			s.t.Logf("seen: %v", err)
			return nil
		}
		return fmt.Errorf("not seen that it is %q, but: %w", that.Error(), err)
	})
}

func (s *scene) controllers() []string {
	s.t.Helper()
	pods := &corev1.PodList{}
	labels := client.MatchingLabels{"app.kubernetes.io/name": controllerName}
	if err := s.client.List(s.t.Context(), pods, client.InNamespace(controllerNamespace), labels); err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for _, p := range pods.Items {
		names = append(names, p.Name)
	}
	return names
}

// crash kills the processes of controllers from outside, so that they release no Lease and finish no write. Deleting the
// pods would give them the time to.
func (s *scene) crash(pods ...string) {
	s.t.Helper()
	for _, name := range pods {
		p := &corev1.Pod{}
		if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: controllerNamespace, Name: name}, p); err != nil {
			s.t.Fatal(err)
		}
		var killed strings.Builder
		err := s.internet(p.Spec.NodeName).exec(s.t.Context(), nil, &killed, "kill-processes-of", string(p.UID), controllerName)
		if err != nil || killed.Len() == 0 {
			s.t.Fatalf("killing %s: %v, killed %q", name, err, killed.String())
		}
	}
}

// internet is the pod that sees all processes of a node.
func (s *scene) internet(node string) pod {
	s.t.Helper()
	pods := &corev1.PodList{}
	if err := s.client.List(s.t.Context(), pods, client.InNamespace(worldNamespace), client.MatchingLabels{"app": "internet"}); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range pods.Items {
		if p.Spec.NodeName == node {
			return pod{cluster: s.cluster, namespace: p.Namespace, name: p.Name}
		}
	}
	s.t.Fatalf("node %s has no internet", node)
	return pod{}
}

// restart replaces the pods of a Deployment as `kubectl rollout restart` does.
func (s *scene) restart(namespace, name string) {
	s.t.Helper()
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = namespace, name
	patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"e2e/restarted-by":%q}}}}}`, s.namespace)
	if err := s.client.Patch(s.t.Context(), d, client.RawPatch("application/strategic-merge-patch+json", []byte(patch))); err != nil {
		s.t.Fatal(err)
	}
}

// scale waits until so many are there. It is called after the test's context ended, too.
func (s *scene) scale(namespace, name string, replicas int) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = namespace, name
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	if err := s.client.Patch(ctx, d, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		s.t.Fatal(err)
	}
	if err := s.rolledOut(ctx, namespace, name); err != nil {
		s.t.Fatal(err)
	}
}
