// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"sync"
	"testing"
)

// A producer runs before anybody wants a name, and the controllers set their function meanwhile. The race detector judges.
func TestOnChange_MayBeSetWhileAProducerRuns(t *testing.T) {
	b := New(Options{})
	var running sync.WaitGroup
	running.Go(func() {
		b.Serve("", 1)
		b.SetFamilies([]Family{IPv4}, start)
		b.Retire("", "192.0.2.53:53", start)
	})
	b.OnChange(func(Owner, Urgency) { t.Error("called although there is no owner") })
	running.Wait()
}
