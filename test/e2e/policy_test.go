// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

func TestDeletedPolicyLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www := s.domain("www")
	app := s.appThatMayCall(www, first)

	s.remove("app", &v1alpha1.FQDNEgressPolicy{})
	s.absent("app-fqdn", &networkingv1.NetworkPolicy{})
	s.eventuallyBlocked(app, url(first, 80))
}

// The pods run and have connections before there is a policy. Neither those nor new ones to listed hosts are cut. That the
// open ones stay is the network plugin's doing, and here so that one is noticed that cuts them.
func TestPolicyForRunningPodsCutsNoConnection(t *testing.T) {
	t.Parallel()
	s := newOpenScene(t)
	listed, unlisted := s.domain("listed"), s.domain("unlisted")
	s.setName(t, listed, first)
	s.setName(t, unlisted, second)
	app := s.pod("app")
	open, openElsewhere := s.open(app, listed+".", "80"), s.open(app, unlisted+".", "80")
	fresh := s.traffic(app, listed+".", "80")

	s.apply(policy("app", "app", rule(80, listed)))
	s.eventuallyBlocked(app, url(second, 80))
	s.wantAllowed(app, url(first, 80))

	open.wantAnswered()
	openElsewhere.wantAnswered()
	fresh.wantNoneDropped()
}

func TestTwoPoliciesOnOnePodAddUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, other := s.domain("one"), s.domain("other")
	s.setName(t, one, first)
	s.setName(t, other, second)
	app := s.pod("app")
	s.apply(policy("one", "app", rule(80, one)))
	s.apply(policy("other", "app", rule(8080, other)))
	s.eventuallyAllowed(app, url(one, 80))
	s.eventuallyAllowed(app, url(other, 8080))
	s.wantBlocked(app, url(one, 8080), url(other, 80), url(third, 80))

	s.remove("other", &v1alpha1.FQDNEgressPolicy{})
	s.eventuallyBlocked(app, url(second, 8080))
	s.wantAllowed(app, url(one, 80))
}

func TestDriftIsRepaired(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www := s.domain("www")
	app := s.appThatMayCall(www, first)
	s.wantBlocked(app, url(second, 80))

	for how, damage := range map[string]func(){
		"opened": func() {
			s.editNetworkPolicy("app-fqdn", func(spec *networkingv1.NetworkPolicySpec) { spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}} })
		},
		"closed": func() {
			s.editNetworkPolicy("app-fqdn", func(spec *networkingv1.NetworkPolicySpec) { spec.Egress = nil })
		},
		"deleted": func() { s.remove("app-fqdn", &networkingv1.NetworkPolicy{}) },
	} {
		before := &networkingv1.NetworkPolicy{}
		s.get("app-fqdn", before)
		damage()
		s.eventually(func(ctx context.Context) error {
			now := &networkingv1.NetworkPolicy{}
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(before), now); err != nil {
				return err
			}
			if now.UID == before.UID && now.Generation < before.Generation+2 { // one for the edit, one for the repair
				return errors.New(how + " by hand and not repaired")
			}
			if diff := cmp.Diff(before.Spec, now.Spec); diff != "" {
				return errors.New(how + " by hand and not repaired: " + diff)
			}
			return nil
		})
		s.caughtUp(app) // it may have seen the damage
		s.wantAllowed(app, url(first, 80))
		s.wantBlocked(app, url(second, 80))
	}
}

// A name that nobody knows opens nothing, and keeps no other from being allowed.
func TestUnknownNameOpensNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www, nowhere := s.domain("www"), s.domain("nowhere")
	s.setName(t, www, first)
	app := s.pod("app")
	s.create(policy("app", "app", rule(80, www), rule(8080, nowhere)))
	s.eventuallyAllowed(app, url(www, 80))
	s.wantBlocked(app, url(first, 8080), url(second, 8080))
	s.status("app", nowhere, "NotFound", func(f v1alpha1.FQDNStatus) bool { return f.State == v1alpha1.FQDNNotFound })

	s.setName(t, nowhere, second)
	s.eventuallyAllowed(app, url(second, 8080))
	s.wantBlocked(app, url(third, 8080), url(second, 80))
}

// A name that nobody knows does not make a policy unready: what waits for Ready, as `kubectl wait` and Helm do, goes on.
func TestDeadHostIsReady(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www := s.domain("www")
	s.setName(t, www, first)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www, s.domain("nowhere"))))
	s.eventuallyAllowed(app, url(www, 80))
	s.wantBlocked(app, url(second, 80))
}
