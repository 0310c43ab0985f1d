// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var compareAddrs = cmpopts.EquateComparable(netip.Addr{})

const testSOA = "example.com. 100 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 20"

func TestRead(t *testing.T) {
	type edits = []func(*dns.Msg)
	good := func(ttl uint32, as ...string) Answer {
		return Answer{Addrs: given.Addrs(as...), TTL: time.Duration(ttl) * time.Second}
	}
	nodata := func(ttl uint32) Answer {
		return Answer{Outcome: NoData, TTL: time.Duration(ttl) * time.Second}
	}
	nxdomain := func(ttl uint32) Answer {
		return Answer{Outcome: NXDomain, TTL: time.Duration(ttl) * time.Second}
	}
	tests := map[string]struct {
		question string // "www.example.com A" by default
		text     string
		edits    edits
		want     Answer
	}{
		"addresses, sorted and distinct": {text: `www.example.com. 60 IN A 192.0.2.10
			www.example.com. 60 IN A 192.0.2.9
			www.example.com. 60 IN A 192.0.2.10`, want: good(60, "192.0.2.9", "192.0.2.10")},
		"the other family": {question: "www.example.com AAAA", text: `www.example.com. 60 IN AAAA 2001:db8::2
			www.example.com. 60 IN AAAA 2001:db8::1`, want: good(60, "2001:db8::1", "2001:db8::2")},
		"Edge4: lowest TTL is the alias's": {text: `www.example.com. 10 IN CNAME a.example.net.
			a.example.net. 3600 IN A 192.0.2.1`, want: good(10, "192.0.2.1")},
		"Edge4: lowest TTL is an address's": {text: `www.example.com. 3600 IN CNAME a.example.net.
			a.example.net. 20 IN A 192.0.2.1
			a.example.net. 30 IN A 192.0.2.2`, want: good(20, "192.0.2.1", "192.0.2.2")},
		"Edge4: TTLs off the chain do not count": {text: `www.example.com. 60 IN CNAME a.example.net.
			a.example.net. 60 IN A 192.0.2.1
			b.example.net. 1 IN A 192.0.2.2
			b.example.net. 1 IN CNAME c.example.net.`, want: good(60, "192.0.2.1")},
		"records in any order": {text: `c.example.net. 60 IN A 192.0.2.1
			b.example.net. 50 IN CNAME c.example.net.
			www.example.com. 70 IN CNAME b.example.net.`, want: good(50, "192.0.2.1")},
		"Edge27: names in any case": {text: `WWW.Example.COM. 60 IN CNAME A.example.NET.
			a.EXAMPLE.net. 60 IN A 192.0.2.1`, want: good(60, "192.0.2.1"),
			edits: edits{func(m *dns.Msg) { m.Question[0].Name = "wWw.ExAmPlE.cOm." }}},
		"Edge29: underscores": {question: "_x._tcp.example.com A", text: "_x._tcp.example.com. 60 IN A 192.0.2.1", want: good(60, "192.0.2.1")},
		"Edge26: an IPv4-mapped address stays as it came": {question: "www.example.com AAAA",
			text: "www.example.com. 60 IN AAAA ::ffff:192.0.2.1", want: good(60, "::ffff:192.0.2.1")},
		"Invariant8: addresses of another owner": {text: `www.example.com. 60 IN A 192.0.2.1
			evil.example. 60 IN A 192.0.2.66`, want: good(60, "192.0.2.1")},
		"Invariant8: addresses of another class": {text: `www.example.com. 60 IN A 192.0.2.1
			www.example.com. 60 CH A 192.0.2.66`, want: good(60, "192.0.2.1")},
		"Invariant8: alias of another class": {text: `www.example.com. 60 IN A 192.0.2.1
			www.example.com. 60 CH CNAME evil.example.`, want: good(60, "192.0.2.1")},
		"Invariant8: sixteen links": {text: links(16) + "l16.example.com. 60 IN A 192.0.2.1", want: good(60, "192.0.2.1")},
		"DNAME": {text: `example.com. 300 IN DNAME example.net.
			www.example.com. 0 IN CNAME www.example.net.
			www.example.net. 60 IN A 192.0.2.1`, want: good(0, "192.0.2.1")},
		"the same alias twice": {text: `www.example.com. 60 IN CNAME a.example.net.
			www.example.com. 40 IN CNAME A.example.net.
			a.example.net. 60 IN A 192.0.2.1`, want: good(40, "192.0.2.1")},
		"signatures beside an alias": {text: `www.example.com. 60 IN CNAME a.example.net.
			www.example.com. 60 IN RRSIG CNAME 8 3 60 20300101000000 20200101000000 1 example.com. AA==
			a.example.net. 60 IN A 192.0.2.1`, want: good(60, "192.0.2.1")},
		"Edge2: TTL 0":                 {text: "www.example.com. 0 IN A 192.0.2.1", want: good(0, "192.0.2.1")},
		"Edge3: the largest TTL":       {text: "www.example.com. 2147483647 IN A 192.0.2.1", want: good(2147483647, "192.0.2.1")},
		"Edge38: TTL with its top bit": {text: "www.example.com. 2147483648 IN A 192.0.2.1", want: good(0, "192.0.2.1")},
		"NODATA lasts MINIMUM":         {text: "--" + testSOA, want: nodata(20)},
		"NODATA lasts the SOA's TTL": {text: "-- example.com. 5 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 900",
			want: nodata(5)},
		"NODATA with MINIMUM's top bit": {text: "-- example.com. 5 IN SOA ns.example.com. admin.example.com. 1 3600 600 86400 4294967295",
			want: nodata(0)},
		"NODATA of an authority":                   {text: "--" + testSOA, edits: edits{authoritative}, want: nodata(20)},
		"NODATA of a server without recursion":     {text: "--" + testSOA, edits: edits{notRecursive}, want: nodata(20)},
		"NODATA with SOA and NS":                   {text: "--" + testSOA + "\nexample.com. 60 IN NS ns.example.com.", want: nodata(20)},
		"NODATA with the root's SOA":               {text: "-- . 30 IN SOA a.root. nstld. 1 3600 600 86400 30", want: nodata(30)},
		"NODATA with the SOA second":               {text: "-- example.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5\n" + testSOA, want: nodata(20)},
		"NODATA at the end of a chain":             {text: "www.example.com. 60 IN CNAME a.example.com.\n--" + testSOA, want: nodata(20)},
		"NODATA at the end of a short-lived chain": {text: "www.example.com. 7 IN CNAME a.example.com.\n--" + testSOA, want: nodata(7)},
		"NODATA at the end of a signed DNAME": {text: `example.com. 300 IN DNAME example.net.
			example.com. 300 IN RRSIG DNAME 8 2 300 20300101000000 20200101000000 1 example.com. AA==
			www.example.com. 60 IN CNAME www.example.net.
			-- example.net. 9 IN SOA ns.example.net. a.example.net. 1 3600 600 86400 20`, want: nodata(9)},
		"NXDOMAIN":                                 {text: "--" + testSOA, edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(20)},
		"NXDOMAIN without SOA":                     {edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(30)},
		"NXDOMAIN of a template":                   {edits: edits{rcode(dns.RcodeNameError), authoritative}, want: nxdomain(30)},
		"NXDOMAIN with a foreign SOA":              {text: "-- example.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5", edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(30)},
		"NXDOMAIN with NS":                         {text: "-- example.com. 60 IN NS ns.example.com.", edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(30)},
		"NXDOMAIN at the end of a part of a chain": {text: "www.example.com. 7 IN CNAME a.example.net.", edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(7)},
		"NXDOMAIN at the end of a chain": {text: "www.example.com. 60 IN CNAME a.example.net.\n-- example.net. 9 IN SOA ns.example.net. a.example.net. 1 3600 600 86400 20",
			edits: edits{rcode(dns.RcodeNameError)}, want: nxdomain(9)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q := questionFor(t, "www.example.com A")
			if tc.question != "" {
				q = questionFor(t, tc.question)
			}
			got, err := readAnswer(q, answerTo(t, q, tc.text, tc.edits...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, compareAddrs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// links is a chain from www.example.com to l<n>.example.com.
func links(n int) string {
	var b strings.Builder
	owner := "www.example.com."
	for i := range n {
		target := fmt.Sprintf("l%d.example.com.", i+1)
		fmt.Fprintf(&b, "%s 60 IN CNAME %s\n", owner, target)
		owner = target
	}
	return b.String()
}

// TestRead_SaysNothing: each of these must leave what is known as it is.
func TestRead_SaysNothing(t *testing.T) {
	type edits = []func(*dns.Msg)
	const fine = "www.example.com. 60 IN A 192.0.2.1\n"
	const alias = "www.example.com. 60 IN CNAME a.example.net.\n"
	tests := map[string]struct {
		text  string
		edits edits
		want  string
	}{
		"Edge11: SERVFAIL":              {edits: edits{rcode(dns.RcodeServerFailure)}, want: "SERVFAIL"},
		"Edge11: REFUSED":               {edits: edits{rcode(dns.RcodeRefused)}, want: "REFUSED"},
		"SERVFAIL with addresses":       {text: fine, edits: edits{rcode(dns.RcodeServerFailure)}, want: "SERVFAIL"},
		"FORMERR":                       {edits: edits{rcode(dns.RcodeFormatError)}, want: "FORMERR"},
		"an RCODE that nobody knows":    {edits: edits{rcode(3000)}, want: "unknown RCODE"},
		"Edge10: truncated":             {text: fine, edits: edits{func(m *dns.Msg) { m.Truncated = true }}, want: ReasonTruncated},
		"truncated and empty":           {edits: edits{func(m *dns.Msg) { m.Truncated = true }}, want: ReasonTruncated},
		"Edge13: another name":          {text: fine, edits: edits{func(m *dns.Msg) { m.Question[0].Name = "other.example.com." }}, want: ReasonMismatch},
		"Edge13: another type":          {text: fine, edits: edits{func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }}, want: ReasonMismatch},
		"another class":                 {text: fine, edits: edits{func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassANY }}, want: ReasonMismatch},
		"no question":                   {text: fine, edits: edits{func(m *dns.Msg) { m.Question = nil }}, want: ReasonMismatch},
		"two questions":                 {text: fine, edits: edits{func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }}, want: ReasonMismatch},
		"a query":                       {text: fine, edits: edits{func(m *dns.Msg) { m.Response = false }}, want: ReasonMismatch},
		"another opcode":                {text: fine, edits: edits{func(m *dns.Msg) { m.Opcode = dns.OpcodeStatus }}, want: ReasonMismatch},
		"loop":                          {text: "www.example.com. 60 IN CNAME a.example.com.\na.example.com. 60 IN CNAME WWW.example.com.", want: ReasonLoop},
		"loop to itself":                {text: "www.example.com. 60 IN CNAME www.example.com.", want: ReasonLoop},
		"seventeen links":               {text: links(17) + "l17.example.com. 60 IN A 192.0.2.1", want: ReasonLongChain},
		"two aliases":                   {text: "www.example.com. 60 IN CNAME a.example.com.\nwww.example.com. 60 IN CNAME b.example.com.\na.example.com. 60 IN A 192.0.2.1", want: ReasonAmbiguous},
		"alias beside an address":       {text: fine + "www.example.com. 60 IN CNAME a.example.com.\na.example.com. 60 IN A 192.0.2.2", want: ReasonAmbiguous},
		"alias beside the other family": {text: "www.example.com. 60 IN CNAME a.example.com.\nwww.example.com. 60 IN AAAA 2001:db8::1\na.example.com. 60 IN A 192.0.2.2", want: ReasonAmbiguous},
		"NXDOMAIN with addresses":       {text: fine, edits: edits{rcode(dns.RcodeNameError)}, want: ReasonMalformed},
		"a record without an address": {edits: edits{func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "www.example.com.", Rrtype: dns.TypeA, Class: dns.ClassINET}}}
		}}, want: ReasonMalformed},

		"referral down":                       {text: "-- www.example.com. 60 IN NS ns.example.com.", edits: edits{notRecursive}, want: ReasonReferral},
		"referral up":                         {text: "-- . 60 IN NS a.root-servers.net.", edits: edits{notRecursive}, want: ReasonReferral},
		"referral aside":                      {text: "-- example.org. 60 IN NS ns.example.org.", edits: edits{notRecursive}, want: ReasonReferral},
		"referral passed on":                  {text: "-- example.com. 60 IN NS ns.example.com.", want: ReasonReferral},
		"referral down, from a cache with AA": {text: "-- example.com. 60 IN NS ns.example.com.", edits: edits{authoritative}, want: ReasonReferral},
		"referral up, from a cache with AA":   {text: "-- . 60 IN NS a.root-servers.net.", edits: edits{authoritative}, want: ReasonReferral},
		"referral with a foreign SOA": {text: "-- example.com. 60 IN NS ns.example.com.\nexample.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5",
			want: ReasonReferral},
		"referral behind an alias":    {text: alias + "-- example.net. 60 IN NS ns.example.net.", edits: edits{authoritative}, want: ReasonReferral},
		"referral up behind an alias": {text: alias + "-- . 60 IN NS a.root-servers.net.", edits: edits{authoritative}, want: ReasonReferral},

		"empty":                                  {want: ReasonUnproven},
		"empty and not recursive":                {edits: edits{notRecursive}, want: ReasonNotRecursive},
		"empty and not recursive, from a cache":  {edits: edits{authoritative}, want: ReasonNotRecursive},
		"empty, with the SOA of a foreign zone":  {text: "-- example.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5", want: ReasonUnproven},
		"empty, with the SOA of a zone below":    {text: "-- a.www.example.com. 5 IN SOA ns.example.com. a.example.com. 1 3600 600 86400 5", want: ReasonUnproven},
		"empty, with a SOA of another class":     {text: "-- example.com. 5 CH SOA ns.example.com. a.example.com. 1 3600 600 86400 5", want: ReasonUnproven},
		"alias whose end nobody followed":        {text: alias, edits: edits{authoritative}, want: ReasonNotRecursive},
		"alias alone from a recursive server":    {text: alias, want: ReasonUnproven},
		"alias with the NS of its zone":          {text: alias + "-- example.com. 60 IN NS ns.example.com.", edits: edits{authoritative}, want: ReasonNotRecursive},
		"alias within a zone, with its NS":       {text: "www.example.com. 60 IN CNAME a.example.com.\n-- example.com. 60 IN NS ns.example.com.", edits: edits{authoritative}, want: ReasonNotRecursive},
		"alias with the SOA of its zone":         {text: alias + "--" + testSOA, want: ReasonUnproven},
		"DNAME chain whose end nobody followed":  {text: "example.com. 300 IN DNAME example.net.\nwww.example.com. 0 IN CNAME www.example.net.", want: ReasonUnproven},
		"signed alias whose end nobody followed": {text: alias + "www.example.com. 60 IN RRSIG CNAME 8 3 60 20300101000000 20200101000000 1 example.com. AA==", want: ReasonUnproven},

		"another owner":                          {text: "lb-1.elb.example.net. 60 IN A 192.0.2.10", want: ReasonOtherOwner},
		"another owner, with the name's SOA":     {text: "lb-1.elb.example.net. 60 IN A 192.0.2.10\n--" + testSOA, want: ReasonOtherOwner},
		"another owner's alias":                  {text: "lb-1.elb.example.net. 60 IN CNAME a.example.net.\na.example.net. 60 IN A 192.0.2.10", want: ReasonOtherOwner},
		"another owner that does not exist":      {text: "lb-1.elb.example.net. 60 IN CNAME a.example.net.", edits: edits{rcode(dns.RcodeNameError)}, want: ReasonOtherOwner},
		"another owner beside an alias":          {text: alias + "lb-1.elb.example.net. 60 IN A 192.0.2.10\n-- example.net. 9 IN SOA ns.example.net. a.example.net. 1 3600 600 86400 20", want: ReasonOtherOwner},
		"the owner's addresses in another class": {text: "www.example.com. 60 CH A 192.0.2.10", want: ReasonUnasked},
		"the other family's addresses":           {text: "www.example.com. 60 IN AAAA 2001:db8::2", want: ReasonUnasked},
		"the other family's, behind an alias":    {text: alias + "a.example.net. 60 IN AAAA 2001:db8::2", want: ReasonUnasked},
		"signatures alone":                       {text: "www.example.com. 60 IN RRSIG A 8 3 60 20300101000000 20200101000000 1 example.com. AA==", want: ReasonUnasked},
		"an OPT record alone": {edits: edits{func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232}}}
		}}, want: ReasonOtherOwner},
		"a SOA record in the answer section": {text: testSOA, want: ReasonOtherOwner},
		"a DNAME without its alias":          {text: "example.com. 300 IN DNAME example.net.\nwww.example.net. 60 IN A 192.0.2.10", want: ReasonOtherOwner},
		"another DNAME beside an alias":      {text: alias + "example.org. 300 IN DNAME example.net.", want: ReasonOtherOwner},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			q := questionFor(t, "www.example.com A")
			got, err := readAnswer(q, answerTo(t, q, tc.text, tc.edits...))
			if err == nil {
				t.Fatalf("got the answer %+v", got)
			}
			if reason := reasonOf(err); reason != tc.want {
				t.Errorf("reason %q (%v), want %q", reason, err, tc.want)
			}
		})
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := questionFor(b, "www.example.com A")
			text := "www.example.com. 60 IN CNAME a.example.net.\n"
			for i := range n {
				text += fmt.Sprintf("a.example.net. 60 IN A 192.0.%d.%d\n", 2+i/256, 255-i%256)
			}
			m := answerTo(b, q, text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readAnswer(q, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
