// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Question is what is asked: the addresses of one family of a name.
type Question struct {
	Name   fqdn.Name
	Family addressbook.Family
}

// onWire is the question as it is sent.
func (q Question) onWire() dnsmsg.Question {
	if q.Family == addressbook.IPv6 {
		return dnsmsg.Question{Name: q.Name, Type: dnsmsg.AAAA}
	}
	return dnsmsg.Question{Name: q.Name, Type: dnsmsg.A}
}

// String is for logs and errors: "www.example.com AAAA".
func (q Question) String() string { return q.onWire().String() }

// answerOf is an answer as the address book takes it.
func answerOf(a dnsmsg.Answer) addressbook.Answer {
	return addressbook.Answer{Outcome: outcomeOf(a.Outcome), Addrs: a.Addrs, TTL: a.TTL}
}

func outcomeOf(o dnsmsg.Outcome) addressbook.Outcome {
	switch o {
	case dnsmsg.NoData:
		return addressbook.NoData
	case dnsmsg.NXDomain:
		return addressbook.NXDomain
	case dnsmsg.Good:
	}
	return addressbook.Good
}
