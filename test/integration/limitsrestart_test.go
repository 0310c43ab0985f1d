// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// TestInvariant4_RestartAtTheNameLimit: names that were followed before a restart are followed after it, whichever policy the
// process looks at first, and the bound holds.
func TestInvariant4_RestartAtTheNameLimit(t *testing.T) {
	w := newWorld(t)
	flags := []string{"--max-names-per-namespace", "5", "--retention", "3s", "--max-stale", "20s"}
	p := w.start(flags...)
	first, firstAddrs := w.names("first", 2, 4)
	more, _ := w.names("more", 3, 30)
	w.create("first", nil, rule(443, first...))
	w.wantAllowed(443, firstAddrs...)
	w.create("a-more", nil, rule(8443, more...))
	w.wantCondition("a-more", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	stays := w.alwaysAllowed(443, firstAddrs...)
	for range 2 {
		p.kill()
		p = w.start(flags...)
		for _, n := range first {
			w.waitForQueries(1, n, dns.TypeA)
		}
		w.wantCondition("first", v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
		if got := w.allowed(8443); len(got) != 1 {
			t.Errorf("%v is allowed, want the one name that fits", got)
		}
	}
	w.forceWrite("first")
	stays()
	var moved []string
	for i := range first {
		moved = append(moved, fmt.Sprintf("192.0.9.%d", i+1))
		w.dns.Set(first[i], shortTTL, moved[i])
	}
	w.within(longPatience).wantAllowed(443, moved...)
}

// TestInvariant4_RestartAtTheAddressLimit: an existing rule keeps its addresses over a restart, also where another policy is
// answered first and takes the room.
func TestInvariant4_RestartAtTheAddressLimit(t *testing.T) {
	w := newWorld(t)
	flags := []string{"--max-addresses-per-namespace", "10", "--retention", "3s"}
	p := w.start(flags...)
	var firstAddrs, moreAddrs []string
	for i := range 8 {
		firstAddrs, moreAddrs = append(firstAddrs, fmt.Sprintf("192.0.2.%d", i+1)), append(moreAddrs, fmt.Sprintf("198.51.100.%d", i+1))
	}
	w.dns.Set("first.example.com", shortTTL, firstAddrs...)
	w.dns.Set("more.example.com", shortTTL, moreAddrs...)
	w.create("first", nil, rule(443, "first.example.com"))
	w.wantAllowed(443, firstAddrs...)
	w.create("more", nil, rule(8443, "more.example.com"))
	w.wantCondition("more", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	stays := w.alwaysAllowed(443, firstAddrs...)
	p.kill()
	w.dns.Break("first.example.com", dnstest.Delay(500*time.Millisecond)) // more is answered first
	w.start(flags...)
	w.wantCondition("first", v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonLimitReached)
	w.within(longPatience).waitForQueries(10, "first.example.com", dns.TypeA) // longer than the retention
	w.forceWrite("first")
	stays()
	w.wantAllowed(443, firstAddrs...)
}
