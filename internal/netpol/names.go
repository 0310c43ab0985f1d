// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"strconv"
	"strings"
)

// ObjectName is the name of the i-th generated object: web-fqdn, web-fqdn-1, ...
//
// No two policies share a name: what precedes the last suffix of a kind is the policy.
func (id Identity) ObjectName(i int) string {
	if i == 0 {
		return id.Name + id.Kind.Suffix
	}
	return id.Name + id.Kind.Suffix + "-" + strconv.Itoa(i)
}

// indexOf returns the number of the object of that name; ok is false for a name that ObjectName does not give.
func (id Identity) indexOf(name string) (i int, ok bool) {
	policy, i, ok := id.Kind.parse(name)
	return i, ok && policy == id.Name
}

// parse is the inverse of ObjectName. Names that ObjectName does not give, such as web-fqdn-0 or web-fqdn-01, are not ok.
func (k Kind) parse(name string) (policy string, i int, ok bool) {
	if p, found := strings.CutSuffix(name, k.Suffix); found {
		return p, 0, p != ""
	}
	head, number, found := cutLast(name, k.Suffix+"-")
	if !found || head == "" {
		return "", 0, false
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 1 || strconv.Itoa(i) != number {
		return "", 0, false
	}
	return head, i, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// compareObjectNames puts generated names in the order of their numbers and others after them.
func (id Identity) compareObjectNames(a, b string) int {
	i, generatedA := id.indexOf(a)
	j, generatedB := id.indexOf(b)
	switch {
	case generatedA != generatedB:
		return compareBool(generatedB, generatedA)
	case generatedA && i != j:
		return i - j
	}
	return strings.Compare(a, b)
}
