// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var (
	only4 = []addressbook.Family{addressbook.IPv4}
	only6 = []addressbook.Family{addressbook.IPv6}
	both  = []addressbook.Family{addressbook.IPv4, addressbook.IPv6}
)

func TestFamiliesOf(t *testing.T) {
	for name, tc := range map[string]struct {
		pod, dns []netip.Addr
		want     []addressbook.Family
	}{
		"IPv4 only":                          {given.Addrs("10.244.0.5"), given.Addrs("10.96.0.10"), only4},
		"IPv6 only":                          {given.Addrs("fd00:244::5"), given.Addrs("fd00:96::a"), only6},
		"dual stack":                         {given.Addrs("10.244.0.5", "fd00:244::5"), given.Addrs("10.96.0.10"), both},
		"the DNS Service became dual stack":  {given.Addrs("10.244.0.5"), given.Addrs("10.96.0.10", "fd00:96::a"), both},
		"no DNS Service":                     {given.Addrs("10.244.0.5"), nil, only4},
		"outside of a cluster, a Service":    {nil, given.Addrs("10.96.0.10"), both},
		"outside of a cluster, nothing":      {nil, nil, both},
		"IPv4 in the form of IPv6 is IPv4":   {given.Addrs("::ffff:10.244.0.5"), nil, only4},
		"the order of addresses is no order": {given.Addrs("fd00:244::5", "10.244.0.5"), nil, both},
	} {
		got := FamiliesOf(tc.pod, clusterdns.Facts{ClusterIPs: tc.dns})
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// changingDNS has facts that a test changes.
type changingDNS struct {
	mu      sync.Mutex
	facts   clusterdns.Facts
	changed func()
}

func (c *changingDNS) Facts() clusterdns.Facts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.facts
}
func (c *changingDNS) OnChange(changed func())          { c.changed = changed }
func (c *changingDNS) WaitForSync(context.Context) bool { return true }

func (c *changingDNS) set(clusterIPs ...string) {
	c.mu.Lock()
	c.facts.ClusterIPs = given.Addrs(clusterIPs...)
	c.mu.Unlock()
	c.changed()
}

// TestFamilies_FollowTheDNSService: a cluster that becomes dual stack is followed without a restart, and back.
func TestFamilies_FollowTheDNSService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := addressbook.New(addressbook.Options{Families: only4})
		dns := &changingDNS{facts: clusterdns.Facts{ClusterIPs: given.Addrs("10.96.0.10")}}
		f := &Families{
			Book: book, ClusterDNS: dns, PodIPs: given.Addrs("10.244.0.5"), Clock: clock.RealClock{}, Log: logr.Discard(),
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Start(ctx) }()
		want := func(when string, families []addressbook.Family) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(families, book.Families()); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", when, diff)
			}
		}
		want("at the start", only4)
		dns.set("10.96.0.10", "fd00:96::a")
		want("dual stack", both)
		dns.set("10.96.0.10")
		want("single stack again", only4)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
