// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Question is what is asked: the addresses of one family of a name. The class is always IN.
type Question struct {
	Name   fqdn.Name
	Family addressbook.Family
}

// qname is the name as miekg/dns wants it: absolute, with the trailing dot, so that no search list applies.
func (q Question) qname() string { return q.Name.String() + "." }

func (q Question) qtype() uint16 {
	if q.Family == addressbook.IPv6 {
		return dns.TypeAAAA
	}
	return dns.TypeA
}

// String is for logs and errors: "www.example.com AAAA".
func (q Question) String() string { return q.Name.String() + " " + dns.TypeToString[q.qtype()] }
