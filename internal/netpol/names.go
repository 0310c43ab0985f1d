// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"strconv"
	"strings"
)

// suffix ends the name of every generated NetworkPolicy of the namespaced kind, but for the number.
const suffix = "-fqdn"

// ObjectName is the name of the i-th generated NetworkPolicy of a policy: web-fqdn, web-fqdn-1, ...
//
// No two policies of a namespace share a name: what precedes the last "-fqdn" is the policy.
func ObjectName(policy string, i int) string {
	if i == 0 {
		return policy + suffix
	}
	return policy + suffix + "-" + strconv.Itoa(i)
}

// parseObjectName is the inverse of ObjectName. Names that ObjectName does not give, such as web-fqdn-0 or web-fqdn-01,
// are not ok.
func parseObjectName(name string) (policy string, i int, ok bool) {
	if p, found := strings.CutSuffix(name, suffix); found {
		return p, 0, p != ""
	}
	head, number, found := cutLast(name, suffix+"-")
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
