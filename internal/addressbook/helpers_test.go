// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"net/netip"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// byValue lets cmp compare values that have an == of their own.
var byValue = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b fqdn.Pattern) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

func ptr[T any](v T) *T { return &v }

func host(s string) fqdn.Name {
	n, err := fqdn.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

func pattern(s string) fqdn.Pattern {
	p, err := fqdn.ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}
