// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// logHas tells whether the process printed a text.
func logHas(p *process, text string) error {
	if !strings.Contains(p.log.String(), text) {
		return fmt.Errorf("the log does not say %q", text)
	}
	return nil
}

// stateIn tells whether a name of the policy is in one of the states.
func stateIn(p *v1alpha1.FQDNEgressPolicy, name string, states ...v1alpha1.FQDNState) error {
	for _, s := range p.Status.FQDNs {
		if s.FQDN == name && slices.Contains(states, s.State) {
			return nil
		}
	}
	return fmt.Errorf("%s is not %v: %+v", name, states, p.Status.FQDNs)
}

func addr300(i int) string { return fmt.Sprintf("198.51.%d.%d", 100+i/200, i%200+1) }

// freshAddress gives every answer an address that no answer had before.
func freshAddress(next *int) dnstest.Fault {
	return dnstest.Only(dns.TypeA, dnstest.Edit(func(m *dns.Msg) {
		*next++
		for _, rr := range m.Answer {
			if a, ok := rr.(*dns.A); ok {
				a.A = net.IPv4(198, 51, 100, byte(*next))
			}
		}
	}))
}

func splitYAML(s string) []string {
	return slices.DeleteFunc(strings.Split(s, "\n---\n"), func(d string) bool { return strings.TrimSpace(d) == "" })
}
