// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// FuzzReadAnswer feeds what may come from the network to what judges it.
func FuzzReadAnswer(f *testing.F) {
	q := questionFor(f, "www.example.com A")
	for _, text := range []string{
		"www.example.com. 60 IN A 192.0.2.1",
		"www.example.com. 60 IN CNAME a.example.net.\na.example.net. 4294967295 IN A 192.0.2.1\nevil.example. 1 IN A 192.0.2.66",
		"a.example.com. 60 IN CNAME www.example.com.\nwww.example.com. 60 IN CNAME a.example.com.",
		"example.com. 60 IN DNAME example.net.\nwww.example.com. 0 IN CNAME www.example.net.\nwww.example.net. 1 IN A 192.0.2.1",
		links(17),
		"--" + testSOA,
		"-- example.com. 60 IN NS ns.example.com.",
		"-- . 60 IN NS a.root-servers.net.\nexample.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5",
		"--",
		"www.example.com. 60 IN CNAME a.example.net.",
		"www.example.com. 60 IN CNAME a.example.com.\n-- example.com. 60 IN NS ns.example.com.",
		"www.example.com. 60 IN CNAME a.example.net.\n-- example.net. 9 IN SOA ns.example.net. a.example.net. 1 3600 600 86400 20",
		"lb-1.elb.example.net. 60 IN A 192.0.2.10\n--" + testSOA,
		"www.example.com. 60 IN RRSIG A 8 3 60 20300101000000 20200101000000 1 example.com. AA==",
		"www.example.com. 60 CH A 192.0.2.10\nwww.example.com. 60 IN AAAA 2001:db8::1",
	} {
		for _, code := range []int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure} {
			m := answerTo(f, q, text, rcode(code))
			m.Compress = true
			b, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		a, err := ReadAnswer(q, m)
		if err != nil {
			if reasonOf(err) == ReasonNetwork {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		if a.TTL < 0 || !slices.IsSortedFunc(a.Addrs, netip.Addr.Compare) || len(slices.Compact(slices.Clone(a.Addrs))) != len(a.Addrs) {
			t.Fatalf("bad answer: %+v", a)
		}
		checkOnChain(t, q, m, a.Addrs)
		checkProven(t, m, a)
		checkRepacked(t, q, m, a)
	})
}

// checkOnChain follows the aliases in another way than the code: it grows the set of names until nothing is added.
func checkOnChain(t *testing.T, q Question, m *dns.Msg, addrs []netip.Addr) {
	t.Helper()
	onChain := map[string]bool{q.qname(): true}
	for range m.Answer {
		for _, rr := range m.Answer {
			if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == dns.ClassINET && onChain[lower(c.Hdr.Name)] {
				onChain[lower(c.Target)] = true
			}
		}
	}
	for _, addr := range addrs {
		if !slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
			a, ok := rr.(*dns.A)
			return ok && a.Hdr.Class == dns.ClassINET && onChain[lower(a.Hdr.Name)] && a.A.Equal(addr.AsSlice())
		}) {
			t.Fatalf("%v is of no owner on the chain of\n%v", addr, m)
		}
	}
}

// checkProven: NODATA has a SOA record of a zone around some name of the message, and no answer about something else.
func checkProven(t *testing.T, m *dns.Msg, a addressbook.Answer) {
	t.Helper()
	if a.Outcome == addressbook.Good {
		return
	}
	if a.Outcome == addressbook.NoData && !slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }) {
		t.Fatalf("NODATA without a proof:\n%v", m)
	}
	for _, rr := range m.Answer {
		if _, address := addressOf(rr); address {
			t.Fatalf("an absence beside an address:\n%v", m)
		}
	}
}

func checkRepacked(t *testing.T, q Question, m *dns.Msg, want addressbook.Answer) {
	t.Helper()
	b, err := m.Pack()
	again := new(dns.Msg)
	if err != nil || again.Unpack(b) != nil {
		return // the library reads more than it can write: records without data, for example (RFC 2136 section 2.4)
	}
	got, err := ReadAnswer(q, again)
	if err != nil {
		t.Fatalf("the same message packed again: %v", err)
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Fatal(diff)
	}
}

func lower(s string) string { return strings.ToLower(s) }

// FuzzParse feeds datagrams to the code that decides whether they are the answer.
func FuzzParse(f *testing.F) {
	q := questionFor(f, "www.example.com A")
	const id = 0x1234
	m := answerTo(f, q, "www.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN A 192.0.2.2")
	m.Id = id
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-16]) // one record less than promised
	f.Add(b[:len(b)-3])
	f.Add(b[:headerSize])
	f.Add(bytes.Repeat([]byte{0xc0}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, reason := parse(b, false, id, q)
		if (m == nil) == (reason == "") {
			t.Fatalf("neither message nor reason, or both: %v, %q", m, reason)
		}
		if m == nil || isBareError(m) {
			return
		}
		if m.Id != id || !answers(m, q.qname(), q.qtype()) || (!m.Truncated && !complete(b, m)) {
			t.Fatalf("accepted\n%v", m)
		}
	})
}

// FuzzReadFrame: what was read as a frame is that many bytes, whatever the stream.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 9})
	f.Add([]byte{0, 3, 1, 2})
	f.Add([]byte{0xff, 0xff})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		b, err := readFrame(bytes.NewReader(stream))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, b); err != nil || !bytes.HasPrefix(stream, again.Bytes()) {
			t.Fatalf("read %x from %x (%v)", b, stream, err)
		}
	})
}
