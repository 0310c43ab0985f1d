// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// carried is what the NetworkPolicies of a target carried before this process, or these servers, had a say. The zero value is
// that of a target whose NetworkPolicies were not looked at yet.
//
//	first look                              what is live is taken over
//	again, the same servers are asked       what is left of it
//	others are asked now                    what is live is taken over: none of them has answered yet
type carried struct {
	seen  bool
	view  addressbook.View // who was asked for the names then
	rules netpol.Carried   // less what is over
}

// look takes over what is live, where nothing of it is known yet.
func (c *carried) look(view addressbook.View, live func() netpol.Carried) {
	if c.seen && c.view == view {
		return
	}
	c.seen, c.view, c.rules = true, view, live()
}
