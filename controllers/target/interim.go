// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

// withRevisions stands in until the book counts its revisions itself.
func withRevisions(s addressbook.Snapshot) addressbook.Snapshot {
	if s.Revision != 0 {
		return s
	}
	s.Entries = slices.Clone(s.Entries)
	all := fnv.New64a()
	for i := range s.Entries {
		e, h := &s.Entries[i], fnv.New64a()
		for _, a := range e.Addresses {
			fmt.Fprint(h, a.Addr)
		}
		if len(e.Addresses) > 0 {
			e.Revision = addressbook.Revision(max(h.Sum64(), 1))
		}
		fmt.Fprintf(all, "%+v", e)
	}
	fmt.Fprint(all, s.Served, s.Heard)
	s.Revision = addressbook.Revision(max(all.Sum64(), 1))
	return s
}
