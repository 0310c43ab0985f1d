// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// unobserved is the message of a wildcard that nothing was overheard for.
const unobserved = "nothing observes names yet, so this pattern adds no address"

// maxClauses is how many clauses a message has.
const maxClauses = 3

// clauses make up a message. They are sorted, so that the same facts give the same words.
type clauses []string

func (fs clauses) String() string {
	if len(fs) > maxClauses {
		return strings.Join(fs[:maxClauses], "; ") + "; and more"
	}
	return strings.Join(fs, "; ")
}

// keeping returns the message with the number of addresses that are kept.
func (fs clauses) keeping(addresses int) string {
	switch addresses {
	case 0:
		return fs.String()
	case 1:
		return fs.String() + ", keeping 1 address"
	}
	return fmt.Sprintf("%s, keeping %d addresses", fs, addresses)
}

// finding is one thing that one source says, for the types that it says it of.
type finding struct {
	what   string
	source Source
	suffix string
	types  [families]bool
}

// findings gathers what tell says about each question that has a say; types of one source that say the same make one
// finding.
func (n *name) findings(tell func(*question) (what, suffix string)) []finding {
	var found []finding
	for q := range n.speakers() {
		what, suffix := tell(q)
		if what == "" {
			continue
		}
		i := slices.IndexFunc(found, func(f finding) bool {
			return f.what == what && f.source == q.source.Value() && f.suffix == suffix
		})
		if i < 0 {
			i = len(found)
			found = append(found, finding{what: what, source: q.source.Value(), suffix: suffix})
		}
		found[i].types[q.family] = true
	}
	return found
}

// The clauses about a name that goes back and forth have the same words whoever says what at the moment.
const (
	atOdds = "the answers disagree: some have addresses and some say that there are none; " +
		"addresses are kept while an answer holds them, and for the retention after it"
	unreliable = "the upstreams fail at times; what they said is kept"
)

// absences says which sources know of no addresses.
func (n *name) absences(at instant) clauses {
	var fs clauses
	if n.disagrees(at) {
		return nil
	}
	none := n.findings(func(q *question) (what, suffix string) {
		switch {
		case q.good == never || q.failed && q.outcome == Good:
			return "", ""
		case n.mixes(at):
			return "mixed", ""
		case q.outcome == NXDomain:
			return "NXDOMAIN", ""
		}
		return "NODATA", ""
	})
	for _, f := range none {
		denied := slices.ContainsFunc(none, func(g finding) bool { return g.what == "NXDOMAIN" && g.source == f.source })
		switch {
		case f.what == "mixed":
			fs = append(fs, fmt.Sprintf("NXDOMAIN or NODATA, now one and now the other, from %s", f.source))
		case f.what == "NXDOMAIN":
			fs = append(fs, fmt.Sprintf("NXDOMAIN from %s", f.source))
		case !denied: // NXDOMAIN holds for all types (RFC 2308 section 5)
			fs = append(fs, fmt.Sprintf("no %s records (NODATA) from %s", typeNames(f.types, " or "), f.source))
		}
	}
	slices.Sort(fs)
	return fs
}

// pendingMessage says what is still awaited, and then which sources fail.
func pendingMessage(ss [families]standing, failures clauses) string {
	var awaited [families]bool
	for f, s := range ss {
		awaited[f] = s.pending()
	}
	first := "waiting for the first answer for " + typeNames(awaited, " and ")
	return append(clauses{first}, failures...).String()
}

// typeNames lists the record types of families.
func typeNames(types [families]bool, conjunction string) string {
	switch {
	case types[IPv4] && types[IPv6]:
		return "A" + conjunction + "AAAA"
	case types[IPv6]:
		return "AAAA"
	}
	return "A"
}

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
