// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

const (
	// otherHosts is for names that exist for their SRV, MX or TXT records alone, such as that of a mongodb+srv URL: the
	// misspelt name, which is what comes to mind first, would not exist.
	otherHosts = ": the name exists and has no addresses of its own; list the hosts that its SRV or MX records name " +
		"(for mongodb+srv the SRV records of _mongodb._tcp.<name>)"
	// shortService is for names that work in a pod only because of its search domains.
	shortService = ": no search domain is tried; if it is a Service of the cluster, use podSelector and namespaceSelector"
	// wholeService is for names that look like those of Services, with the cluster's domain.
	wholeService = ": if it should be a Service of the cluster, there is none of that name; " +
		"for its pods use podSelector and namespaceSelector"
)

// hint says what to write in place of a name that has no addresses; "" if nothing is known to be better.
//
//	name                                   all say NODATA   all say NXDOMAIN   anything else
//	billing.payments                       otherHosts       shortService       -
//	billing.payments.svc                   otherHosts       shortService       -
//	billing.payments.svc.cluster.local     otherHosts       wholeService       -
//	www.example.com                        otherHosts       -                  -
//
// Whether it is meant to be a Service is a guess, so both hints say "if": a registered domain has two labels too.
func (n *name) hint(at instant) string {
	if n.disagrees(at) || n.mixes(at) {
		return ""
	}
	nodata, nxdomain := 0, 0
	for q := range n.speakers() {
		switch {
		case q.good == never || q.failed && q.outcome == Good:
			return ""
		case q.outcome == NXDomain:
			nxdomain++
		default:
			nodata++
		}
	}
	switch {
	case nxdomain == 0:
		return otherHosts
	case nodata == 0:
		return serviceHint(n.pattern)
	}
	return ""
}

// serviceHint is the hint for a name that does not exist; "" if it does not look like a Service's.
func serviceHint(called fqdn.Pattern) string {
	labels := strings.Split(called.String(), ".")
	switch svc := slices.Index(labels, "svc"); {
	case svc >= 2 && svc < len(labels)-1: // name.namespace.svc.<cluster domain>, with a pod's name in front or without
		return wholeService
	case svc >= 2, len(labels) == 2:
		return shortService
	}
	return ""
}
