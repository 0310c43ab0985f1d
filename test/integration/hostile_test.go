// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"math"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// A hostile DNS server beside a good name: what it says opens nothing, and what the good name has stays.
func TestHostileServerOpensNothing(t *testing.T) {
	const evil = "198.51.100.66"
	for name, tc := range map[string]struct {
		set   func(*dnstest.Server)
		fault dnstest.Fault
	}{
		"wrong ID":          {fault: dnstest.WrongID()},
		"wrong question":    {fault: dnstest.WrongQuestion("other.example.org")},
		"other owner names": {fault: dnstest.OtherOwner("other.example.org")},
		"CNAME loop": {set: func(s *dnstest.Server) {
			s.Zone("evil.example.com. 1 IN CNAME a.example.com.\na.example.com. 1 IN CNAME evil.example.com.")
		}},
		"chain of 17":              {set: func(s *dnstest.Server) { s.Chain("evil.example.com", shortTTL, 17, evil) }},
		"truncated without TCP":    {fault: dnstest.Edit(func(m *dns.Msg) { m.Truncated = true })},
		"garbage":                  {fault: dnstest.Garbage([]byte("\xff\xff\xff\xffnonsense"))},
		"garbage after a header":   {fault: dnstest.GarbageAfterHeader([]byte("nonsense"))},
		"cut off":                  {fault: dnstest.CutOff(3)},
		"a record of another name": {set: func(s *dnstest.Server) { s.Set("evil.example.com", shortTTL) }, fault: dnstest.Smuggle("good.example.com. 1 IN A " + evil)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.dns.Set("good.example.com", shortTTL, "192.0.2.1")
			if tc.set != nil {
				tc.set(w.dns)
			} else {
				w.dns.Set("evil.example.com", shortTTL, evil)
			}
			if tc.fault != nil {
				w.dns.Break("evil.example.com", tc.fault)
				if strings.HasPrefix(name, "truncated") {
					w.dns.Break("evil.example.com", tc.fault, dnstest.HangUp())
				}
			}
			w.start()
			w.create("web", nil, rule(443, "good.example.com", "evil.example.com"))
			w.wantAllowed(443, "192.0.2.1")
			eventually(t, func() error {
				return stateIn(w.policy("web"), "evil.example.com", v1alpha1.FQDNFailing, v1alpha1.FQDNNotFound)
			})
			w.wantAllowed(443, "192.0.2.1")
		})
	}
}

func TestEdge10_LargeAnswersComeWhole(t *testing.T) {
	w := newWorld(t)
	var many []string
	for i := range 300 {
		many = append(many, addr300(i))
	}
	w.dns.Set("big.example.com", shortTTL, many...)
	w.start()
	w.create("web", nil, rule(443, "big.example.com"))
	w.wantAddressCount("web", 300)
	if got := len(w.allowed(443)); got != 300 {
		t.Errorf("%d of 300 addresses are allowed", got)
	}
}

func TestEdge2_TTLZeroDoesNotFloodTheAPI(t *testing.T) {
	w := newWorld(t)
	next := 0
	w.dns.Set("www.example.com", dnstest.TTL(0), "192.0.2.1")
	w.dns.Break("www.example.com", freshAddress(&next))
	p := w.start("--min-ttl", "200ms")
	w.create("web", nil, rule(443, "www.example.com"))
	w.waitForQueries(60, "www.example.com", dns.TypeA)
	asked := w.dns.Queries("www.example.com", dns.TypeA)
	span := asked[len(asked)-1].At.Sub(asked[0].At)
	most := 10 + 1 + math.Ceil(span.Seconds()/2) // a burst of 10 beside the first write, then one in 2 s
	if wrote := p.metric("fqdn_egress_writes_total", "networkpolicies"); wrote > most || wrote < 10 {
		t.Errorf("%v writes for %d answers in %s, each with a new address; want 10 to %v", wrote, len(asked), span, most)
	}
	if p.metric("fqdn_egress_limits_hit_total", "write_budget") == 0 {
		t.Error("the metric does not tell that the budget held writes back")
	}
}
