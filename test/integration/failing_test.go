// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func TestInvariant2_NeverShrinksOnError(t *testing.T) {
	rows := map[string][]dnstest.Fault{
		"servfail":              {dnstest.Rcode(dns.RcodeServerFailure)},
		"refused":               {dnstest.Rcode(dns.RcodeRefused)},
		"timeout":               {dnstest.Drop()},
		"truncated-without-tcp": {dnstest.Truncate(0), dnstest.HangUp()},
		"garbage":               {dnstest.GarbageAfterHeader([]byte("nonsense"))},
		"wrong-question":        {dnstest.WrongQuestion("other.example.org")},
		"one-family-fails":      {dnstest.Only(dns.TypeA, dnstest.Rcode(dns.RcodeServerFailure))},
		"referral-up":           {referral("com.")},
		"referral-down":         {referral("www.example.com.")},
		"another-owner":         {dnstest.OtherOwner("other.example.org")},
		"lame-server":           {nothing(false)},
		"empty-without-soa":     {nothing(true)},
	}
	w := newWorld(t)
	w.dns.Set("api.example.com", shortTTL, "192.0.2.2")
	w.start("--retention", "1s")
	host := func(row string) string { return row + ".example.com" }
	ports, stops := map[string]int32{}, map[string]func(){}
	for row := range rows { // a policy each, all at once: the waits are the same for all
		ports[row] = int32(443 + len(ports))
		w.dns.Set(host(row), shortTTL, "192.0.2.1", "2001:db8::1")
		w.create(row, nil, rule(ports[row], host(row), "api.example.com"))
	}
	for row, port := range ports {
		w.wantAllowed(port, "192.0.2.1", "192.0.2.2", "2001:db8::1")
		stops[row] = w.alwaysAllowed(port, "192.0.2.1", "2001:db8::1")
	}
	for row, faults := range rows {
		w.dns.Break(host(row), faults...)
	}
	for row := range rows {
		status := w.wantState(row, host(row), v1alpha1.FQDNStale)
		if !strings.Contains(status.Message, w.dns.Addr().String()) || len(status.Addresses) != 2 {
			t.Errorf("%s: status of a failing name: %+v", row, status)
		}
	}
	w.waitForQueries(4, "api.example.com", dns.TypeA) // a TTL apart each: retention is over, and it goes on failing
	for row, port := range ports {
		w.forceWrite(row)
		stops[row]()
		w.wantAllowed(port, "192.0.2.1", "192.0.2.2", "2001:db8::1")
	}
	for row := range rows {
		w.dns.Heal(host(row))
	}
	for row := range rows {
		w.wantState(row, host(row), v1alpha1.FQDNResolved)
	}
}

// referral is an answer that sends the client on to the servers of a zone, with AA set, as if it were the last word.
func referral(zone string) dnstest.Fault {
	return dnstest.Edit(func(m *dns.Msg) {
		m.Authoritative, m.Answer = true, nil
		m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 3600}, Ns: "ns.example.net."}}
	})
}

// nothing is NOERROR without a record: from a server that lost its zone, or one that does not recurse.
func nothing(recursion bool) dnstest.Fault {
	return dnstest.Edit(func(m *dns.Msg) { m.RecursionAvailable, m.Answer, m.Ns = recursion, nil, nil })
}

// CoreDNS answers so of a host that has IPv4 alone (an ExternalName, an alias in a zone file): AAAA is the alias and no more. It
// is no error, and no first write waits for a better answer. A wait takes two seconds each time, a busy machine only some times.
func TestInvariant2_AnAliasAloneBesideAGoodAnswerIsNoError(t *testing.T) {
	const firstWriteWait = 2 * time.Second
	w := newWorld(t)
	p := w.start()
	fastest := time.Hour
	for i := range 3 {
		name, port := fmt.Sprintf("www%d.example.com", i), int32(443+i)
		w.dns.Zone(name + ". 1 IN CNAME host.example.net.\nhost.example.net. 1 IN A 192.0.2.1")
		w.dns.Break(name, dnstest.Only(dns.TypeAAAA, dnstest.NoSOA()))
		begin := time.Now()
		w.create(fmt.Sprintf("web%d", i), nil, rule(port, name))
		w.wantAllowed(port, "192.0.2.1")
		fastest = min(fastest, time.Since(begin))
	}
	if fastest >= firstWriteWait {
		t.Errorf("each first write took %s or more: it waited for an answer that was there", fastest)
	}
	w.waitForQueries(4, "www0.example.com", dns.TypeAAAA) // a TTL apart each
	if status := w.wantState("web0", "www0.example.com", v1alpha1.FQDNResolved); status.Message != "" {
		t.Errorf("status of a name without IPv6: %+v", status)
	}
	w.wantCondition("web0", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	if n := p.metric("fqdn_egress_resolutions_total", `outcome="nodata"`); n == 0 {
		t.Error("no answer for AAAA counts as NODATA: the test says nothing")
	}
}

// A name that is gone is knowledge, not an error: its addresses go after retention. Shown beside the errors above, which
// keep them for as long as --max-stale.
func TestInvariant2_GoodAnswersAgeAnAddressOut(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Set("api.example.com", shortTTL, "192.0.2.2")
	w.start("--retention", "1s")
	w.create("web", nil, rule(443, "www.example.com", "api.example.com"))
	w.wantAllowed(443, "192.0.2.1", "192.0.2.2")
	w.dns.Remove("www.example.com")
	w.wantState("web", "www.example.com", v1alpha1.FQDNNotFound)
	w.waitForQueries(4, "api.example.com", dns.TypeA) // a TTL apart each: retention is over
	w.dns.Set("api.example.com", shortTTL, "192.0.2.3")
	w.wantAllowed(443, "192.0.2.2", "192.0.2.3") // what is due goes with the next write
}

func TestInvariant2_MaxStaleBoundsErrors(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.start("--max-stale", "2s")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.dns.Break("", dnstest.Rcode(dns.RcodeServerFailure))
	w.wantState("web", "www.example.com", v1alpha1.FQDNFailing)
	w.forceWrite("web") // what is due goes with any write
	w.wantAllowed(443)
}
