// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func drawInput(t *rapid.T, now time.Time) Input {
	ports := rapid.SampledFrom([][]v1alpha1.EgressPort{
		nil, {tcp(443)}, {tcp(80), tcp(443)}, {{Port: tcp(440).Port, EndPort: new(int32(450))}}, {udp(53), tcp(53)}, {{Protocol: tcp(1).Protocol}},
	})
	peers := rapid.SampledFrom([]v1alpha1.EgressPeer{
		{FQDN: "a.example.com"}, {FQDN: "b.example.com"}, {FQDN: "c.example.com"}, {FQDN: "*.example.com"},
		block("192.0.2.0/30"), block("192.0.2.0/29", "192.0.2.2/31"), block("192.0.2.1/32"), block("2001:db8::/64"), pods("a"), pods("b"),
	})
	var rules []v1alpha1.EgressRule
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		rules = append(rules, v1alpha1.EgressRule{To: rapid.SliceOfN(peers, 1, 4).Draw(t, "to"), Ports: ports.Draw(t, "ports")})
	}
	in := input(policy(rules...), map[fqdn.Pattern]Name{})
	in.Policy.ClusterDNS = rapid.Bool().Draw(t, "dns")
	if rapid.IntRange(0, 9).Draw(t, "audit") == 0 {
		in.Policy.Audit = true
	}
	for _, s := range []string{"a.example.com", "b.example.com", "c.example.com", "*.example.com"} {
		in.Names[given.Pattern(t, s)] = drawName(t, now)
	}
	in.DNS.ClusterIPs = rapid.SampledFrom([][]netip.Addr{nil, given.Addrs("10.96.0.10"), given.Addrs("10.96.0.11")}).Draw(t, "clusterIPs")
	in.DNS.TargetPorts = rapid.SampledFrom([][]DNSPort{nil, {{"UDP", 443}, {"TCP", 443}}}).Draw(t, "targetPorts")
	in.Carried = drawCarried(t, now)
	in.MaxPeers = rapid.IntRange(1, 8).Draw(t, "maxPeers")
	in.MaxObjects = rapid.IntRange(1, 6).Draw(t, "maxObjects")
	return in
}

// drawCarried carries addresses in some rules of the policy and in one that it has not. Until they are due they count.
func drawCarried(t *rapid.T, now time.Time) Carried {
	c := Carried{Since: now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "since")) * time.Second), Rules: map[RuleKey]CarriedRule{}}
	for _, key := range []RuleKey{"", https, "TCP/80,TCP/443", dnsPortsKey, "TCP/9999"} {
		r := CarriedRule{Of: map[fqdn.Pattern][]netip.Addr{}}
		for _, a := range []string{"192.0.2.0", "192.0.2.5", "192.0.2.6", "2001:db8::2"} {
			switch owner := rapid.IntRange(0, 12).Draw(t, "carried"); owner {
			case 0, 1:
				r.Unknown = append(r.Unknown, netip.MustParseAddr(a))
			case 2, 3, 4, 5:
				p := given.Pattern(t, []string{"a.example.com", "b.example.com", "*.example.com", "gone.example.com"}[owner-2])
				r.Of[p] = append(r.Of[p], netip.MustParseAddr(a))
			}
		}
		if r.len() > 0 {
			c.Rules[key] = r
		}
	}
	return c
}

func drawName(t *rapid.T, now time.Time) Name {
	n := Name{Retention: time.Minute}
	if after := rapid.IntRange(0, 120).Draw(t, "answered"); after > 0 {
		n.Answered = now.Add(-time.Duration(after) * time.Second)
	}
	all := slices.DeleteFunc(destinations(), func(s string) bool { return s[:2] != "19" && s[:2] != "20" })
	for _, s := range rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, 6, rapid.ID[string]).Draw(t, "addresses") {
		a := Address{Addr: netip.MustParseAddr(s), Current: rapid.Bool().Draw(t, "current")}
		if after := rapid.IntRange(-40, 40).Draw(t, "until"); after%2 == 0 {
			a.Until = now.Add(time.Duration(after) * time.Second)
		}
		n.Addresses = append(n.Addresses, a)
	}
	return n
}

// drift edits the live objects as a user with kubectl might.
func drift(t *rapid.T, objects cluster) {
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		np := objects[name]
		switch rapid.IntRange(0, 12).Draw(t, "drift") {
		case 0:
			delete(objects, name)
			continue
		case 1:
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
		case 2:
			np.Spec.Egress = np.Spec.Egress[len(np.Spec.Egress)/2:]
		case 3:
			np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
				To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24"}}},
			})
		case 4:
			np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			np.Labels = nil
		case 5: // a copy that keeps the owner reference
			stray := *np.DeepCopy()
			stray.Name = fmt.Sprintf("copy-of-%s", name)
			if len(name) < 20 {
				objects[stray.Name] = stray
			}
		}
		objects[name] = np
	}
}
