// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Type is the type of the records that a question asks for.
type Type uint8

// The types of addresses: of IPv4 and of IPv6.
const (
	A Type = iota
	AAAA
)

// String is "A" or "AAAA".
func (t Type) String() string {
	if t == AAAA {
		return "AAAA"
	}
	return "A"
}

// Question is what is asked: the addresses of one type that a name has. The class is always IN. It is comparable.
type Question struct {
	Name fqdn.Name
	Type Type
}

// Host is the name as messages have it: absolute, with the trailing dot, so that no search list applies.
func (q Question) Host() string { return q.Name.String() + "." }

func (q Question) qtype() uint16 {
	if q.Type == AAAA {
		return dns.TypeAAAA
	}
	return dns.TypeA
}

// String is for logs and errors: "www.example.com AAAA".
func (q Question) String() string { return q.Name.String() + " " + q.Type.String() }
