// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/netip"
	"testing"

	"github.com/go-logr/logr/funcr"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// What must be known is logged when it begins, when it becomes another, and when it ends.
func TestDNSNotices_AreLoggedOnce(t *testing.T) {
	var lines []string
	log := funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	reported := &noticeLog{log: log, service: "kube-system/kube-dns"}
	report := func(f clusterdns.Facts) (logged int) {
		before := len(lines)
		reported.report(f)
		return len(lines) - before
	}
	well := clusterdns.Facts{Found: true, Asked: clusterdns.AskedEndpoints}
	standIn := clusterdns.Facts{Asked: clusterdns.AskedStandIns, StandIns: []netip.Addr{netip.MustParseAddr("172.20.0.10")}}
	found := standIn
	found.Found = true
	for i, step := range []struct {
		facts clusterdns.Facts
		want  int
	}{{well, 0}, {standIn, 1}, {standIn, 0}, {found, 1}, {well, 1}, {well, 0}, {standIn, 1}} {
		if got := report(step.facts); got != step.want {
			t.Errorf("step %d: %d lines, want %d: %v", i, got, step.want, lines)
		}
	}
}
