// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsmsg

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// The reasons of messages that say nothing, beside the RCODEs ("SERVFAIL", "REFUSED", ...). They reach the status of policies:
// short, and the same for the same cause.
const (
	ReasonTruncated    = "truncated"
	ReasonTooLong      = "answer longer than 16 KiB"
	ReasonMalformed    = "malformed answer"
	ReasonMismatch     = "answer to another question"
	ReasonReferral     = "referral instead of an answer"
	ReasonNotRecursive = "no recursion"
	ReasonUnproven     = "no addresses and no SOA record"
	ReasonOtherOwner   = "answer about another name"
	ReasonUnasked      = "records that were not asked for"
	ReasonLoop         = "CNAME loop"
	ReasonLongChain    = "CNAME chain too long"
	ReasonAmbiguous    = "contradictory CNAME"
)

// Error is a failed question. Nothing was learned from it: what was known stays.
type Error struct {
	// Reason is one of the Reason constants, an RCODE in capitals, or a reason of whoever asked.
	Reason string
	// Owner is the name whose records came instead, with ReasonOtherOwner.
	Owner string
	// Err is the cause, if there is more to say.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxOwner is how many bytes of an owner a status shows: any server chooses it.
const maxOwner = 100

// Status is the failure as a status tells it: the reason, with what to do about it where that is known.
func (e *Error) Status() string {
	if e.Reason != ReasonOtherOwner {
		return e.Reason
	}
	owner := strings.TrimSuffix(e.Owner, ".")
	if len(owner) > maxOwner {
		owner = owner[:maxOwner] + "..."
	}
	return fmt.Sprintf("%s (%s; a CoreDNS rewrite rule needs \"answer auto\")", e.Reason, owner)
}

// rcodeError is an answer whose RCODE says that the server has none.
func rcodeError(rcode int) *Error {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return &Error{Reason: name}
	}
	return &Error{Reason: "unknown RCODE"}
}
