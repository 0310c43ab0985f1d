// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"sync"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// waiting are the policies whose status lets rules go first, by tenant. The zero value is ready; it is safe for concurrent use.
//
//	rules wait                        who may go
//	some for a worker                 nobody
//	a's, for others of a to be done   all but those of a
//	none                              all
type waiting struct {
	mu      sync.Mutex
	tenants map[string]map[addressbook.Owner]bool
}

func (w *waiting) add(o addressbook.Owner) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tenant := string(o.Tenant())
	if w.tenants == nil {
		w.tenants = map[string]map[addressbook.Owner]bool{}
	}
	if w.tenants[tenant] == nil {
		w.tenants[tenant] = map[addressbook.Owner]bool{}
	}
	w.tenants[tenant][o] = true
}

// take returns those of the tenants for whom no rules wait any more, and none of them the next time.
func (w *waiting) take(rules Rules) []addressbook.Owner {
	w.mu.Lock()
	defer w.mu.Unlock()
	var owners []addressbook.Owner
	for tenant, of := range w.tenants {
		if rules.Waiting(tenant) {
			continue
		}
		for o := range of {
			owners = append(owners, o)
		}
		delete(w.tenants, tenant)
	}
	return owners
}
