// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// View is who is asked about a name: the upstreams of the process, or others that an owner names for its names (split
// horizon; a view is what DNS servers call a side of one). What is known of a name in one view is known in no other: who
// names a server of its own must reach nobody else's rules with what it says.
//
// The zero View is that of the process' upstreams.
type View string

// ViewOf returns the view of upstreams, each as the resolver's ParseUpstream reads it. Their order and repeats do not
// matter; spelled otherwise a view is another one. None give the zero View.
func ViewOf(upstreams []string) View {
	return View(strings.Join(slices.Compact(slices.Sorted(slices.Values(upstreams))), ","))
}

// Upstreams returns the upstreams of a view, sorted; none for the zero View.
func (v View) Upstreams() []string {
	if v == "" {
		return nil
	}
	return strings.Split(string(v), ",")
}

// Subject is a name in a view: what is asked about.
type Subject struct {
	View View
	Name fqdn.Name
}

// Compare orders subjects by view, then name.
func (s Subject) Compare(t Subject) int {
	return cmp.Or(strings.Compare(string(s.View), string(t.View)), strings.Compare(s.Name.String(), t.Name.String()))
}

// String is for logs: "www.example.com", or "www.example.com by 10.0.0.53:53".
func (s Subject) String() string {
	if s.View == "" {
		return s.Name.String()
	}
	return s.Name.String() + " by " + string(s.View)
}
