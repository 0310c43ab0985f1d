// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"slices"
	"strings"
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
			return f.what == what && f.source == q.source && f.suffix == suffix
		})
		if i < 0 {
			i = len(found)
			found = append(found, finding{what: what, source: q.source, suffix: suffix})
		}
		found[i].types[q.family] = true
	}
	return found
}

// failures says which sources fail, in what, and whether others answer.
func (n *name) failures(ss [families]standing, at instant) clauses {
	if n.unrest == nil {
		return nil // none of its sources ever failed
	}
	const beside = " while others answer"
	found := n.findings(func(q *question) (what, suffix string) {
		switch s := ss[q.family]; {
		case s.shaky:
			return "", ""
		case s.well && n.noted(q, at):
			return q.failure(), beside
		case s.well || !q.failed:
			return "", ""
		}
		return q.failure(), ""
	})
	var fs clauses
	for _, f := range found {
		if f.suffix == beside {
			fs = append(fs, fmt.Sprintf("%s from %s%s", f.what, f.source, beside)) // whatever the types, so that it is said once
		} else {
			fs = append(fs, fmt.Sprintf("%s for %s from %s", f.what, typeNames(f.types, " and "), f.source))
		}
	}
	slices.Sort(fs)
	return slices.Compact(fs)
}

// failure is the reason of a question whose last word, or the one before, is a failure.
func (q *question) failure() string {
	if q.reason == "" {
		return "failure"
	}
	return q.reason
}

// The clauses about a name that goes back and forth have the same words whoever says what at the moment.
const (
	atOdds = "the answers disagree: some have addresses and some say that there are none; " +
		"addresses are kept while an answer holds them, and for the retention after it"
	unreliable = "the upstreams fail at times; what they said is kept"
)

// unsteady says what goes back and forth, and which TTLs are not believed.
func (n *name) unsteady(ss [families]standing, at instant) clauses {
	var fs clauses
	if n.disagrees(at) {
		fs = append(fs, atOdds)
	}
	if anyFamily(ss, func(s standing) bool { return s.shaky }) {
		fs = append(fs, unreliable)
	}
	if anyFamily(ss, func(s standing) bool { return s.capped }) || n.unrest != nil && at < n.unrest.capped {
		fs = append(fs, fmt.Sprintf("an answer has a TTL of more than %s, and counts for that time only", n.book.options.MaxStale))
	}
	return fs
}

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
