// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// A hostile DNS server beside a good name: what it says opens nothing, and what the good name has stays.
func TestHostileServerOpensNothing(t *testing.T) {
	const evil = "198.51.100.66"
	w := newWorld(t)
	w.dns.Set("good.example.com", shortTTL, "192.0.2.1")
	w.start()
	judge := map[string]func(*testing.T){} // once all policies are there
	for title, tc := range map[string]struct {
		set    func(s *dnstest.Server, host string) // nil: the host has the evil address
		faults []dnstest.Fault
	}{
		"wrong ID":          {faults: []dnstest.Fault{dnstest.WrongID()}},
		"wrong question":    {faults: []dnstest.Fault{dnstest.WrongQuestion("other.example.org")}},
		"other owner names": {faults: []dnstest.Fault{dnstest.OtherOwner("other.example.org")}},
		"CNAME loop": {set: func(s *dnstest.Server, host string) {
			s.Zone(host + ". 1 IN CNAME loop." + host + ".\nloop." + host + ". 1 IN CNAME " + host + ".")
		}},
		"chain of 17":            {set: func(s *dnstest.Server, host string) { s.Chain(host, shortTTL, 17, evil) }},
		"truncated without TCP":  {faults: []dnstest.Fault{dnstest.Edit(func(m *dns.Msg) { m.Truncated = true }), dnstest.HangUp()}},
		"garbage":                {faults: []dnstest.Fault{dnstest.Garbage([]byte("\xff\xff\xff\xffnonsense"))}},
		"garbage after a header": {faults: []dnstest.Fault{dnstest.GarbageAfterHeader([]byte("nonsense"))}},
		"cut off":                {faults: []dnstest.Fault{dnstest.CutOff(3)}},
		"a record of another name": {
			set:    func(s *dnstest.Server, host string) { s.Set(host, shortTTL) },
			faults: []dnstest.Fault{dnstest.Smuggle("good.example.com. 1 IN A " + evil)},
		},
	} {
		policy := strings.ToLower(strings.ReplaceAll(title, " ", "-"))
		host := policy + ".evil.example.com"
		if tc.set != nil {
			tc.set(w.dns, host)
		} else {
			w.dns.Set(host, shortTTL, evil)
		}
		w.dns.Break(host, tc.faults...)
		w.create(policy, nil, rule(443, "good.example.com", host))
		wantGood := func(w *world) {
			w.eventually(func() error {
				np := w.networkPolicy(policy + "-fqdn")
				if np == nil {
					return errors.New("nothing is written")
				}
				if got := allowedBy([]networkingv1.NetworkPolicy{*np}, 443); !slices.Equal(got, []string{"192.0.2.1"}) {
					return fmt.Errorf("allowed: %v", got)
				}
				return nil
			})
		}
		judge[title] = func(t *testing.T) {
			w := *w
			w.t = t
			wantGood(&w)
			w.eventually(func() error {
				return stateIn(w.policy(policy), host, v1alpha1.FQDNFailing, v1alpha1.FQDNNotFound)
			})
			wantGood(&w)
		}
	}
	for title, judges := range judge {
		t.Run(title, judges)
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
