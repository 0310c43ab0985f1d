// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"slices"
	"strings"
)

// unobserved is the message of every wildcard. Once something observes names, each wildcard gets an LRU of those that
// match it.
const unobserved = "nothing observes names yet, so this pattern adds no address"

// maxFacts is how many facts a message lists.
const maxFacts = 3

// facts make up a message. They are sorted, so that the same facts give the same words.
type facts []string

func (fs facts) String() string {
	if len(fs) > maxFacts {
		return strings.Join(fs[:maxFacts], "; ") + "; and more"
	}
	return strings.Join(fs, "; ")
}

// keeping returns the message with the number of addresses that are kept.
func (fs facts) keeping(addresses int) string {
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
func (n *name) failures(ss [families]standing) facts {
	found := n.findings(func(q *question) (what, suffix string) {
		if q.failed && ss[q.family].well {
			suffix = " while others answer"
		}
		return q.failure(), suffix
	})
	var fs facts
	for _, f := range found {
		fs = append(fs, fmt.Sprintf("%s for %s from %s%s", f.what, typeNames(f.types, " and "), f.source, f.suffix))
	}
	slices.Sort(fs)
	return fs
}

// failure is the reason of a question whose last word is a failure; "" if it is not.
func (q *question) failure() string {
	switch {
	case !q.failed:
		return ""
	case q.reason == "":
		return "failure"
	}
	return q.reason
}

// absences says which sources know of no addresses, and then which fail.
func (n *name) absences(ss [families]standing) facts {
	var fs facts
	none := n.findings(func(q *question) (what, suffix string) {
		switch {
		case q.failed:
			return "", ""
		case q.outcome == NXDomain:
			return "NXDOMAIN", ""
		}
		return "NODATA", ""
	})
	for _, f := range none {
		if f.what == "NXDOMAIN" {
			fs = append(fs, fmt.Sprintf("NXDOMAIN from %s", f.source))
		} else {
			fs = append(fs, fmt.Sprintf("no %s records (NODATA) from %s", typeNames(f.types, " or "), f.source))
		}
	}
	slices.Sort(fs)
	return append(fs, n.failures(ss)...)
}

// pendingMessage says what is still awaited, and then which sources fail.
func (n *name) pendingMessage(ss [families]standing) string {
	var awaited [families]bool
	for f, s := range ss {
		awaited[f] = s.pending()
	}
	first := "waiting for the first answer for " + typeNames(awaited, " and ")
	return append(facts{first}, n.failures(ss)...).String()
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
