// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

// TestOutages has them all at once, as outages do come: of the controller, and of DNS in two ways.
func TestOutages(t *testing.T) {
	t.Run("Controller", func(t *testing.T) {
		t.Parallel()
		controllerGoesAway(t)
	})
	for name, failure := range map[string]dnstest.Failure{"DNSFails": {Rcode: "SERVFAIL"}, "DNSIsSilent": {Drop: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dnsGoesAway(t, failure)
		})
	}
}

// dnsGoesAway: an outage of DNS takes nothing away, though it is longer than an address stays that a good answer took away.
func dnsGoesAway(t *testing.T, failure dnstest.Failure) {
	// An address that is no longer answered goes at most its TTL, its retention and 30 s later.
	const retention, outage = time.Second, (ttl+1+30)*time.Second + 5*time.Second
	s := newScene(t)
	www, healthy := s.domain("www"), s.domain("healthy")
	s.setName(t, www, first)
	s.setName(t, healthy, second)
	app := s.pod("app")
	p := policy("app", "app", rule(80, www))
	p.Spec.RetentionSeconds = new(int32(retention.Seconds()))
	s.apply(p)
	s.eventuallyAllowed(app, url(first, 80))

	s.breakName(t, www, failure)
	broken := time.Now()
	flow := s.traffic(app, first, "80")
	s.status("app", www, "Stale", func(f v1alpha1.FQDNStatus) bool { return f.State == v1alpha1.FQDNStale })
	s.wantBlocked(app, url(third, 80))
	s.apply(policy("healthy", "app", rule(80, healthy))) // nobody else waits
	s.eventuallyAllowed(app, url(healthy, 80))
	flow.next(func(e traffic.Event) bool { return e.Error != "" || e.Told.Sub(broken) > outage })
	// What is taken away goes along with any other change of the rule.
	s.edit("app", func(spec *v1alpha1.FQDNEgressPolicySpec) { spec.Egress = append(spec.Egress, rule(8080, healthy)) })
	s.eventuallyAllowed(app, url(second, 8080))
	s.wantBlocked(app, url(first, 8080))
	flow.wantNoneDropped()

	s.setName(t, www, third)
	s.healName(t, www)
	s.eventuallyAllowed(app, url(third, 80))
	s.status("app", www, "Resolved", func(f v1alpha1.FQDNStatus) bool { return f.State == v1alpha1.FQDNResolved })
}
