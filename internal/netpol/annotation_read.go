// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// addressesFor says for whom each rule of an object has its addresses. A nil one says nothing.
type addressesFor map[RuleKey]map[netip.Addr][]addressFor

// of returns the owners of an address; none: nothing is said of it.
func (o addressesFor) of(key RuleKey, a netip.Addr) []addressFor { return o[key][a] }

// ownersFrom reads the annotation of an object. Anybody who may edit the object may write it, so a word on an
// address that is no peer of the object must count for nothing; the caller sees to that.
func ownersFrom(np *networkingv1.NetworkPolicy) addressesFor {
	owners, ok := parseAnnotation(np.Annotations[AnnotationAddresses])
	if !ok {
		return nil
	}
	return owners
}

// parseAnnotation reads a text of annotationOf. One line that it cannot read makes the whole text unreadable: with an
// owner missed, an address would be taken away with its other owner.
func parseAnnotation(text string) (owners addressesFor, ok bool) {
	if text == "" || len(text) > maxAnnotation {
		return nil, false
	}
	r := annotationReader{owners: addressesFor{}}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if !r.read(line) {
			return nil, false
		}
	}
	return r.owners, true
}

// annotationReader holds the rule and the owner that the next line belongs to.
type annotationReader struct {
	owners  addressesFor
	rule    map[netip.Addr][]addressFor // nil: none yet
	owner   addressFor
	isOwned bool // an owner was read in this rule
}

func (r *annotationReader) read(line string) (ok bool) {
	if strings.HasPrefix(line, remark) {
		return true
	}
	if addresses, more := strings.CutPrefix(line, moreIndent); more {
		return r.isOwned && r.addresses(addresses)
	}
	if rest, owned := strings.CutPrefix(line, ownerIndent); owned {
		word, addresses, found := strings.Cut(rest, ": ")
		r.owner, r.isOwned = ownerOf(word)
		return found && r.rule != nil && r.isOwned && r.addresses(addresses)
	}
	ports, found := strings.CutSuffix(line, ":")
	return found && r.open(ports)
}

func (r *annotationReader) open(ports string) (ok bool) {
	if ports == "" {
		return false
	}
	key := RuleKey(ports)
	if ports == everyPort {
		key = ""
	}
	r.isOwned = false
	if r.rule = r.owners[key]; r.rule == nil {
		r.rule = map[netip.Addr][]addressFor{}
		r.owners[key] = r.rule
	}
	return true
}

func (r *annotationReader) addresses(list string) (ok bool) {
	for word := range strings.SplitSeq(list, " ") {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return false
		}
		r.rule[a] = append(r.rule[a], r.owner)
	}
	return true
}

func ownerOf(word string) (o addressFor, ok bool) {
	switch word {
	case ownerUnknown:
		return addressFor{}, true
	case ownerSpec:
		return addressFor{spec: true}, true
	}
	p, err := fqdn.ParsePattern(strings.Clone(word)) // a substring would keep the whole text in memory
	return addressFor{pattern: p}, err == nil
}
