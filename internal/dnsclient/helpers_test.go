// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

var compareAddrs = cmpopts.EquateComparable(netip.Addr{})

// questionFor reads "www.example.com A".
func questionFor(t testing.TB, s string) dnsmsg.Question {
	t.Helper()
	name, qtype, _ := strings.Cut(s, " ")
	q := dnsmsg.Question{Name: given.Name(t, name)}
	if qtype == "AAAA" {
		q.Type = dnsmsg.AAAA
	}
	return q
}

func mustUpstream(t testing.TB, s string) Upstream {
	t.Helper()
	u, err := ParseUpstream(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func numbered(format string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf(format, i))
	}
	return names
}

// readAnswer is what a message says, and nothing where it proves nothing.
func readAnswer(q dnsmsg.Question, m *dnsmsg.Message) (dnsmsg.Answer, error) {
	r, err := dnsmsg.Read(q, m)
	if err == nil && r.Unproven != nil {
		err = r.Unproven
	}
	if err != nil {
		return dnsmsg.Answer{}, err
	}
	return r.Answer, nil
}
