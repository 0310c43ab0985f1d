// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "net/netip"

// Serve takes how many sources a producer asks for a view now. Zero, as before the first Serve: none is known, or none may
// be asked. OnChange tells the owners of the view when the number becomes zero or stops being it. A producer that
// serves a view nobody names any more says zero once, so that the Book forgets the view.
func (b *Book) Serve(v View, sources int) {
	b.tell(news{owners: b.serve(v, int32(min(max(sources, 0), maxSources)))})
}

// maxSources keeps a count of sources within an int32.
const maxSources = 1 << 30

func (b *Book) serve(v View, sources int32) []*owner {
	b.lock()
	defer b.unlock()
	served := b.viewOf(v)
	before := served.sources.Swap(sources)
	b.dropView(served)
	if (before == 0) == (sources == 0) {
		return nil
	}
	return append([]*owner(nil), served.owners...)
}

// hear takes note of a good answer in a view. It returns the owners in the view if it is the first one.
func (b *Book) hear(v *view) []*owner {
	if v.heard.Load() || v.heard.Swap(true) {
		return nil
	}
	return b.ownersIn(v)
}

// Holders returns the sources by whose answers a subject has an address, sorted: the last answer of each held it, or an
// earlier one did and the address is still retained; Overheard is last. None: the address is not, or no longer, known.
func (b *Book) Holders(s Subject, a netip.Addr) []Source {
	n := b.find(s.View, s.Name.Pattern())
	if n == nil {
		return nil
	}
	n.lock()
	defer n.unlock()
	var holders []Source
	for i := range n.questions {
		if q := &n.questions[i]; q.family == familyOf(a) && q.has(ipOf(a)) {
			holders = append(holders, q.source.Value())
		}
	}
	for _, o := range n.rare.overheard[familyOf(a)] {
		if o.ip == ipOf(a) {
			holders = append(holders, Overheard)
		}
	}
	return holders
}
