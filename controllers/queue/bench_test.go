// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"testing"
)

func BenchmarkQueue(b *testing.B) {
	for _, tenants := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("10000 targets of %d tenants", tenants), func(b *testing.B) {
			q := newTestQueue(32)
			keys := make([]key, 10_000)
			for i := range keys {
				keys[i] = keyIn(fmt.Sprint("ns-", i%tenants), i)
				q.Add(keys[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k, _ := q.Get()
				q.AddAs(k, i%5)
				q.Done(k)
			}
		})
	}
}
