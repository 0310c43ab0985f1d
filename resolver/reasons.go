// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"errors"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// The reasons of upstreams that a policy names and that are not asked. Those of questions that failed are in dnsmsg and dnsclient; a text
// that is no address of a server has a reason of its own, which says how to write one.
const (
	ReasonNeverAsked       = "not asked for any policy (this machine, link-local or the cluster's own; without upstreams the cluster's DNS is asked)"
	ReasonNotAllowed       = "not allowed by --policy-upstreams (ask whoever runs the controller, or leave upstreams out)"
	ReasonTooManyUpstreams = "policies name too many servers (ask whoever runs the controller, or leave upstreams out)"
	ReasonTooManyOfTenant  = "policies of one namespace may name 16 servers while there is little room (name fewer, or leave upstreams out)"
)

// statusOf is a failure as a status tells it, with what to do about it where that is known.
func statusOf(err error) string {
	if e, ok := errors.AsType[*dnsmsg.Error](err); ok {
		return e.Status()
	}
	return dnsclient.ReasonOf(err)
}

// maxExplanation is how many bytes of an explanation are logged: a certificate may list any number of names.
const maxExplanation = 300

// explain is the reason with the details that a person needs to mend a certificate or TLS. The cause of
// other failures may hold names that were asked for, and these are not logged.
func explain(err error) string {
	reason := dnsclient.ReasonOf(err)
	if reason == dnsclient.ReasonCertificate || reason == dnsclient.ReasonTLS {
		text := err.Error()
		return text[:min(len(text), maxExplanation)]
	}
	return reason
}
