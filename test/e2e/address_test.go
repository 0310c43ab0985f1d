// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

// Addresses of the internet. Each test has names of its own, so that they may share addresses.
const (
	first, second, third    = "198.51.100.1", "198.51.100.2", "198.51.100.3"
	first6, second6, third6 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
)

func TestRotatedAddress(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www := s.domain("www")
	app := s.appThatMayCall(www, first)
	s.wantBlocked(app, url(second, 80))

	s.setName(t, www, second)
	s.eventuallyAllowed(app, url(second, 80))
	s.wantAllowed(app, url(first, 80)) // an app may have been told it a moment ago
	s.wantBlocked(app, url(third, 80))
}

func TestAddressThatLeavesIsBlockedAfterRetention(t *testing.T) {
	t.Parallel()
	const retention = 3 * ttl * time.Second // longer than what the caches may still have left
	s := newScene(t)
	www := s.domain("www")
	s.setName(t, www, first)
	app := s.pod("app")
	p := policy("app", "app", rule(80, www))
	p.Spec.RetentionSeconds = new(int32(retention.Seconds()))
	s.apply(p)
	s.eventuallyAllowed(app, url(first, 80))

	old := s.traffic(app, "-every=200ms", "-timeout=3s", first, "80")
	s.setName(t, www, second)
	left := time.Now()
	dropped := old.next(func(e traffic.Event) bool { return e.Error != "" })
	// The last answer that held it expired after the name had moved on, or at that moment.
	if stayed := dropped.Told.Sub(left); stayed < retention {
		t.Errorf("blocked %s after the name moved on, retention is %s", stayed, retention)
	} else {
		t.Logf("blocked %s after the name moved on, with a retention of %s", stayed.Round(time.Second), retention)
	}
	s.wantBlocked(app, url(first, 80))
	s.wantAllowed(app, url(second, 80), url(www, 80))
}

func TestPortsDoNotLeakBetweenHosts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, other := s.domain("one"), s.domain("other")
	s.setName(t, one, first)
	s.setName(t, other, second)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, one), rule(8080, other)))
	s.eventuallyAllowed(app, url(one, 80))
	s.eventuallyAllowed(app, url(other, 8080))
	s.wantBlocked(app, url(one, 8080), url(first, 8080), url(other, 80), url(second, 80))
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	www, only6 := s.domain("www"), s.domain("only6")
	s.setName(t, www, first, first6)
	s.setName(t, only6, second6)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, www, only6)))
	s.eventuallyAllowed(app, url(first6, 80))
	s.eventuallyAllowed(app, url(only6, 80))
	s.wantAllowed(app, url(first, 80), url(second6, 80))
	s.wantBlocked(app, url(first6, 8080), url(third6, 80), url(second, 80))

	s.setName(t, only6, third6)
	s.eventuallyAllowed(app, url(third6, 80))
	s.wantBlocked(app, url(third6, 8080), url(third, 80))
}

func TestPrivateAnswer(t *testing.T) {
	t.Parallel()
	const private, neighbour, metadata = "10.200.0.10", "10.200.0.11", "169.254.169.254"
	s := newScene(t)
	intranet := s.domain("intranet")
	s.setName(t, intranet, private, metadata, first)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, intranet)))
	s.eventuallyAllowed(app, url(first, 80))
	s.wantBlocked(app, url(private, 80), url(metadata, 80))
	s.status("app", intranet, "two refused addresses", func(f v1alpha1.FQDNStatus) bool { return len(f.Refused) == 2 })

	s.edit("app", func(spec *v1alpha1.FQDNEgressPolicySpec) { spec.AllowedPrivateCIDRs = []v1alpha1.CIDR{"10.200.0.0/24"} })
	s.eventuallyAllowed(app, url(private, 80))
	s.wantBlocked(app, url(neighbour, 80), url(metadata, 80)) // the block by itself opens nothing, and no block opens metadata
	s.status("app", intranet, "metadata refused", func(f v1alpha1.FQDNStatus) bool {
		return len(f.Refused) == 1 && f.Refused[0].Address == metadata
	})
}
