// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// FuzzRead feeds what may come from the network to what judges it.
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
		a, err := readAnswer(q, m)
		if err != nil {
			if reasonOf(err) == "" {
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
	onChain := map[string]bool{q.Host(): true}
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
func checkProven(t *testing.T, m *dns.Msg, a Answer) {
	t.Helper()
	if a.Outcome == Good {
		return
	}
	if a.Outcome == NoData && !slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA }) {
		t.Fatalf("NODATA without a proof:\n%v", m)
	}
	for _, rr := range m.Answer {
		if _, address := addressOf(rr); address {
			t.Fatalf("an absence beside an address:\n%v", m)
		}
	}
}

func checkRepacked(t *testing.T, q Question, m *dns.Msg, want Answer) {
	t.Helper()
	b, err := m.Pack()
	again := new(dns.Msg)
	if err != nil || again.Unpack(b) != nil {
		return // the library reads more than it can write: records without data, for example (RFC 2136 section 2.4)
	}
	got, err := readAnswer(q, again)
	if err != nil {
		t.Fatalf("the same message packed again: %v", err)
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Fatal(diff)
	}
}

func lower(s string) string { return strings.ToLower(s) }

// FuzzAnswerOf feeds messages to the code that decides whether they are the answer, and compares it with one that unpacks
// all of them first, as the library does.
func FuzzAnswerOf(f *testing.F) {
	q := questionFor(f, "www.example.com A")
	sent, err := NewQuery(q, true, false)
	if err != nil {
		f.Fatal(err)
	}
	sent[0], sent[1] = 0x12, 0x34
	for _, m := range []*dns.Msg{
		answerTo(f, q, "www.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN A 192.0.2.2"),
		answerTo(f, q, "www.example.com. 60 IN CNAME a.example.net.", func(m *dns.Msg) { m.Truncated = true }),
		answerTo(f, q, "--"+testSOA, func(m *dns.Msg) { m.SetEdns0(1232, false) }),
		answerTo(f, q, "", rcode(dns.RcodeRefused), func(m *dns.Msg) { m.Question = nil }),
		answerTo(f, q, "", rcode(dns.RcodeBadVers), func(m *dns.Msg) { m.Question = nil; m.SetEdns0(1232, false) }),
		answerTo(f, questionFor(f, "WWW.example.com A"), ""),
		answerTo(f, questionFor(f, "www.example.com AAAA"), ""),
	} {
		m.Id, m.Compress = 0x1234, true
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:max(len(b)-16, 0)]) // one record less than promised
		f.Add(b[:len(b)-3])
		f.Add(b[:headerSize])
	}
	f.Add(bytes.Repeat([]byte{0xc0}, 40))
	f.Add(namesOf(q, 0x1234, MaxMessage))
	f.Fuzz(func(t *testing.T, b []byte) {
		reason := sent.Rejects(b)
		var got *Message
		if reason == "" {
			got, reason = Unpack(b, false)
		}
		if (got == nil) == (reason == "") {
			t.Fatalf("neither message nor reason, or both: %v, %q", got, reason)
		}
		want := wholly(b, 0x1234, q)
		if got == nil && want != nil && unpackedLen(want) <= maxUnpacked {
			t.Fatalf("refused as %s:\n%v", reason, want)
		}
		if got != nil && want == nil {
			t.Fatalf("accepted\n%v", (*dns.Msg)(got))
		}
		if got != nil && !got.Truncated && (*dns.Msg)(got).String() != want.String() {
			t.Fatalf("read\n%v\nwant\n%v", (*dns.Msg)(got), want)
		}
	})
}

// wholly unpacks all of a message, and returns it if it is the answer.
func wholly(b []byte, id uint16, q Question) *dns.Msg {
	m := new(dns.Msg)
	err := m.Unpack(b)
	whole := err == nil && len(m.Answer) == promised(b, 1) && len(m.Ns) == promised(b, 2) && len(m.Extra) == promised(b, 3)
	switch {
	case len(b) < headerSize || m.Id != id:
	case answers(m, q.Host(), q.qtype()):
		if m.Truncated || whole {
			return m
		}
	case isBareError(m) && m.Opcode == dns.OpcodeQuery && (whole || len(b) == headerSize):
		return m
	}
	return nil
}

func unpackedLen(m *dns.Msg) int {
	sum := 0
	for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
		sum += dns.Len(rr)
	}
	return sum
}

// namesOf is a message of that length that answers q with aliases whose names all point at one of 255 octets.
func namesOf(q Question, id uint16, length int) []byte {
	m := new(dns.Msg).SetQuestion(q.Host(), q.qtype())
	m.Id, m.Response = id, true
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	record := func(name []byte) []byte {
		return slices.Concat([]byte{0xc0, headerSize}, []byte{0, byte(dns.TypeCNAME), 0, 1, 0, 0, 0, 60, 0, byte(len(name))}, name)
	}
	long := slices.Concat([]byte{63}, bytes.Repeat([]byte{1}, 63)) // four octets each when written
	long = append(slices.Concat(long, long, long, long[:62]), 0)
	long[3*64] = 61
	target := []byte{0xc0, byte(len(b) + 12)} // behind an owner and what is fixed
	b = append(b, record(long)...)
	n := 1
	for ; len(b)+14 <= length; n++ {
		b = append(b, record(target)...)
	}
	binary.BigEndian.PutUint16(b[countsAt+2:], uint16(n))
	return b
}
