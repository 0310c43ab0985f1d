// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// patternsOf returns the names and patterns of the spec in its order. What the CRD's validation would refuse, and an
// older CRD may have let in, is left out.
func patternsOf(policy *v1alpha1.FQDNEgressPolicy) []fqdn.Pattern {
	var patterns []fqdn.Pattern
	for _, rule := range policy.Spec.Egress {
		for _, peer := range rule.To {
			if p, err := fqdn.ParsePattern(string(peer.FQDN)); err == nil {
				patterns = append(patterns, p)
			}
		}
	}
	return patterns
}

// wantsOf returns what the policy wants of the book.
func wantsOf(policy *v1alpha1.FQDNEgressPolicy) addressbook.Wants {
	return addressbook.Wants{Patterns: patternsOf(policy), View: viewOf(policy), Retention: retentionOf(policy)}
}

// viewOf returns who is asked for the names of the policy.
func viewOf(policy *v1alpha1.FQDNEgressPolicy) addressbook.View {
	upstreams := make([]string, len(policy.Spec.Upstreams))
	for i, u := range policy.Spec.Upstreams {
		upstreams[i] = string(u)
	}
	return addressbook.ViewOf(upstreams)
}

// retentionOf returns the retention that the policy sets; nil leaves it to the book.
func retentionOf(policy *v1alpha1.FQDNEgressPolicy) *time.Duration {
	if policy.Spec.RetentionSeconds == nil {
		return nil
	}
	d := time.Duration(*policy.Spec.RetentionSeconds) * time.Second
	return &d
}

// namesOf gives the compiler what the book knows.
func namesOf(s addressbook.Snapshot) map[fqdn.Pattern]netpol.Name {
	names := make(map[fqdn.Pattern]netpol.Name, len(s.Patterns))
	for _, e := range s.Patterns {
		addresses := make([]netpol.Address, len(e.Addresses))
		for i, a := range e.Addresses {
			addresses[i] = netpol.Address(a)
		}
		names[e.Pattern] = netpol.Name{
			Addresses: addresses, Answered: e.Answered, Retention: e.Retention, Limited: e.Limit.Shared(),
		}
	}
	return names
}

// dnsOf gives the compiler the facts of the cluster's DNS. Servers that stand in are asked at port 53, whatever ports the
// Service has.
func dnsOf(f clusterdns.Facts, extra []netip.Addr) netpol.DNS {
	servicePorts := dnsPortsOf(f.ServicePorts)
	if f.Found && len(f.StandIns) > 0 {
		servicePorts = append(servicePorts, netpol.DNSPort{Protocol: "TCP", Port: 53}, netpol.DNSPort{Protocol: "UDP", Port: 53})
	}
	return netpol.DNS{
		Namespace:    f.Namespace,
		Selector:     f.Selector,
		ClusterIPs:   f.ClusterIPs,
		ServicePorts: servicePorts,
		TargetPorts:  dnsPortsOf(f.TargetPorts),
		Extra:        slices.Concat(extra, f.StandIns),
	}
}

func dnsPortsOf(ports []clusterdns.Port) []netpol.DNSPort {
	out := make([]netpol.DNSPort, len(ports))
	for i, p := range ports {
		out[i] = netpol.DNSPort(p)
	}
	return out
}
