// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/miekg/dns"
)

// The reasons of failures beside the RCODEs ("SERVFAIL", "REFUSED", ...). They reach the status of policies: short,
// and the same for the same cause.
const (
	ReasonTimeout      = "timeout"
	ReasonRefused      = "connection refused"
	ReasonUnreachable  = "network unreachable"
	ReasonClosed       = "connection closed"
	ReasonNetwork      = "network error"
	ReasonCertificate  = "certificate not trusted"
	ReasonTLS          = "TLS handshake failed"
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

	// Of upstreams that a policy names and that are not asked; what is no address of a server says itself what to write.
	ReasonNeverAsked       = "not asked for any policy (this machine, link-local or the cluster's own; without upstreams the cluster's DNS is asked)"
	ReasonNotAllowed       = "not allowed by --policy-upstreams (ask whoever runs the controller, or leave upstreams out)"
	ReasonTooManyUpstreams = "policies name too many servers (ask whoever runs the controller, or leave upstreams out)"
)

// Error is a failed question. Nothing was learned from it: what was known stays.
type Error struct {
	// Reason is one of the Reason constants or an RCODE in capitals.
	Reason string
	// Owner is whose records came instead, with ReasonOtherOwner.
	Owner string
	// Err is the cause, if there is more to say.
	Err error
}

// maxOwner is how many bytes of an owner a status shows: any server chooses it.
const maxOwner = 100

// words are the reason as a status tells it, with what to do about it where that is known.
func words(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Reason == ReasonOtherOwner {
		owner := strings.TrimSuffix(e.Owner, ".")
		if len(owner) > maxOwner {
			owner = owner[:maxOwner] + "..."
		}
		return fmt.Sprintf("%s (%s; a CoreDNS rewrite rule needs \"answer auto\")", e.Reason, owner)
	}
	return reasonOf(err)
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

// reasonOf returns the short stable reason of any error of this package or of the network.
func reasonOf(err error) string {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return ReasonUnreachable
	}
	return ReasonNetwork
}

// maxExplanation is how many bytes of an explanation are logged: a certificate may list any number of names.
const maxExplanation = 300

// explain is the reason with what a person must know to mend it: what is wrong with a certificate or with TLS. The cause of
// other failures may hold names that were asked for, and these are not logged.
func explain(err error) string {
	reason := reasonOf(err)
	if reason == ReasonCertificate || reason == ReasonTLS {
		text := err.Error()
		return text[:min(len(text), maxExplanation)]
	}
	return reason
}

// rcodeError is an answer whose RCODE says that the server has none.
func rcodeError(rcode int) *Error {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return &Error{Reason: name}
	}
	return &Error{Reason: "unknown RCODE"}
}
