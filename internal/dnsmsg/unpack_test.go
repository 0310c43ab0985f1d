// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"testing"

	"github.com/miekg/dns"
)

// TestUnpack_Bounded: what is short on the wire may not be long in memory.
func TestUnpack_Bounded(t *testing.T) {
	q := questionFor(t, "www.example.com A")
	sent, err := NewQuery(q, true, false)
	if err != nil {
		t.Fatal(err)
	}
	id := uint16(sent[0])<<8 | uint16(sent[1])
	names := namesOf(q, id, MaxMessage)
	if reason := sent.Rejects(names); reason != "" {
		t.Fatalf("rejected: %s", reason)
	}
	if m, reason := Unpack(names, false); reason != ReasonMalformed {
		t.Errorf("aliases of %d bytes without compression: %q", unpackedLen((*dns.Msg)(m)), reason)
	}
	foreign := namesOf(questionFor(t, "other.example.com A"), id, 64<<10-1)
	if n := testing.AllocsPerRun(100, func() {
		if sent.Rejects(foreign) != ReasonMismatch {
			t.Error("not rejected")
		}
	}); n != 0 {
		t.Errorf("a foreign message takes %v allocations", n)
	}
	header := foreign[:headerSize]
	header[countsAt+1] = 0 // 4680 records after no question
	if m, reason := Unpack(append(header, 0), false); reason != ReasonMalformed {
		t.Errorf("records that are not there: %v, %q", m, reason)
	}
}

// TestRejects compares ID, kind and question.
func TestRejects(t *testing.T) {
	q := questionFor(t, "www.example.com A")
	sent, err := NewQuery(q, true, false)
	if err != nil {
		t.Fatal(err)
	}
	for title, tc := range map[string]struct {
		edit func(*dns.Msg)
		cut  int
		want string
	}{
		"the answer":         {},
		"upper case":         {edit: func(m *dns.Msg) { m.Question[0].Name = "WWW.EXAMPLE.com." }},
		"no question":        {edit: func(m *dns.Msg) { m.Question = nil }}, // an error perhaps
		"another ID":         {edit: func(m *dns.Msg) { m.Id++ }, want: ReasonMismatch},
		"a query":            {edit: func(m *dns.Msg) { m.Response = false }, want: ReasonMismatch},
		"a notification":     {edit: func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, want: ReasonMismatch},
		"another name":       {edit: func(m *dns.Msg) { m.Question[0].Name = "wwx.example.com." }, want: ReasonMismatch},
		"a longer name":      {edit: func(m *dns.Msg) { m.Question[0].Name = "www.example.com.x." }, want: ReasonMismatch},
		"other labels":       {edit: func(m *dns.Msg) { m.Question[0].Name = `www\.example.com.` }, want: ReasonMismatch},
		"another type":       {edit: func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }, want: ReasonMismatch},
		"another class":      {edit: func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, want: ReasonMismatch},
		"two questions":      {edit: func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, want: ReasonMismatch},
		"half a header":      {cut: 30, want: ReasonMalformed},
		"half a question":    {cut: 3, want: ReasonMalformed},
		"a header, no more":  {cut: 21},
		"half a label first": {cut: 15, want: ReasonMalformed},
	} {
		m := new(dns.Msg).SetQuestion(q.Host(), q.qtype())
		m.Id, m.Response = uint16(sent[0])<<8|uint16(sent[1]), true
		if tc.edit != nil {
			tc.edit(m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if got := sent.Rejects(b[:max(len(b)-tc.cut, 0)]); got != tc.want {
			t.Errorf("%s: %q, want %q", title, got, tc.want)
		}
	}
}

// BenchmarkForeignMessage is what a message costs that others send: 64 KiB of aliases that point at one long name.
func BenchmarkForeignMessage(b *testing.B) {
	q := questionFor(b, "www.example.com A")
	sent, err := NewQuery(q, true, false)
	if err != nil {
		b.Fatal(err)
	}
	id := uint16(sent[0])<<8 | uint16(sent[1])
	for title, message := range map[string][]byte{
		"another question": namesOf(questionFor(b, "other.example.com A"), id, 64<<10-1),
		"our question":     namesOf(q, id, MaxMessage),
	} {
		b.Run(title, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reason := sent.Rejects(message)
				if reason == "" {
					_, reason = Unpack(message, false)
				}
				if reason == "" {
					b.Fatal("accepted")
				}
			}
		})
	}
}
