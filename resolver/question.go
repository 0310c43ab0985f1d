// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// questionOf is the question for the addresses of one family of a name, as it is sent.
func questionOf(n fqdn.Name, f addressbook.Family) dnsmsg.Question {
	if f == addressbook.IPv6 {
		return dnsmsg.Question{Name: n, Type: dnsmsg.AAAA}
	}
	return dnsmsg.Question{Name: n, Type: dnsmsg.A}
}

// question is that of q, as it is sent. Any goroutine may call it: what it reads never changes.
func (q *query) question() dnsmsg.Question { return questionOf(q.about.name, q.family) }

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
