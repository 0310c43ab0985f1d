// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestNewQuery_Padding asks for names of all lengths up to 253.
func TestNewQuery_Padding(t *testing.T) {
	sizes := map[int]bool{}
	for n := 5; n <= 253; n++ {
		name := strings.Repeat("a.", 125)[:n-3] + "aaa"
		q := questionFor(t, name+" A")
		for _, padded := range []bool{true, false} {
			wire, err := NewQuery(q, true, padded)
			if err != nil {
				t.Fatal(err)
			}
			m := new(dns.Msg)
			if err := m.Unpack(wire); err != nil || m.Question[0].Name != name+"." || m.IsEdns0().UDPSize() != ednsSize {
				t.Fatalf("%q: %v, %v", name, m, err)
			}
			if options := m.IsEdns0().Option; padded != (len(options) == 1) {
				t.Fatalf("%q: padded is %v, options are %v", name, padded, options)
			}
			if padded {
				sizes[len(wire)] = true
			}
		}
	}
	if len(sizes) != 3 || !sizes[128] || !sizes[256] || !sizes[384] {
		t.Errorf("lengths of queries: %v, want 128, 256 and 384", sizes)
	}
}

// TestNewQuery_NoEDNS: a server that does not know EDNS gets no option either.
func TestNewQuery_NoEDNS(t *testing.T) {
	wire, err := NewQuery(questionFor(t, "www.example.com A"), false, true)
	m := new(dns.Msg)
	if err != nil || m.Unpack(wire) != nil || m.IsEdns0() != nil {
		t.Errorf("%v, %v", m, err)
	}
}
