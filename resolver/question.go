// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// asking is a question that is asked again and again: for the addresses of one family of a subject's name.
type asking struct {
	about  *subject
	family addressbook.Family
}

// onWire is the question as it is sent.
func (q asking) onWire() dnsmsg.Question {
	if q.family == addressbook.IPv6 {
		return dnsmsg.Question{Name: q.about.Name, Type: dnsmsg.AAAA}
	}
	return dnsmsg.Question{Name: q.about.Name, Type: dnsmsg.A}
}

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
