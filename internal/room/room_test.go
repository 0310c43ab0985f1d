// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package room_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/internal/room"
)

func TestLeft(t *testing.T) {
	for _, tc := range []struct{ all, has, want int }{
		{0, 0, 80},
		{70, 70, 10},
		{74, 4, 6},
		{80, 70, 0},
		{80, 4, 1},
		{99, 0, 1},
		{100, 4, 0},
		{130, 0, 0},
	} {
		if got := room.Left(100, tc.all, tc.has, 4); got != tc.want {
			t.Errorf("%d of 100, %d of the tenant: %d left, want %d", tc.all, tc.has, got, tc.want)
		}
	}
	if got := room.Left(100, 0, 0, 0); got != 80 {
		t.Errorf("without tenants: %d", got)
	}
}

// Who wakes those that wait relies on the last of these.
func TestProperty_Left(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000)
		limit, all, tenants := n.Draw(t, "limit"), n.Draw(t, "all"), n.Draw(t, "tenants")
		has, more := n.Draw(t, "has"), n.Draw(t, "more")
		left := room.Left(limit, all, has, tenants)
		if left < 0 || left > max(limit-all, 0) {
			t.Fatalf("%d left of %d, of which %d are taken", left, limit, all)
		}
		if room.Left(limit, all, has+more, tenants) > left {
			t.Fatal("a tenant that has more has more left")
		}
	})
}
