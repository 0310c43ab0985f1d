// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

const dnsPortsKey RuleKey = "TCP/53,UDP/53"

// carriedText lists what each rule carried, whoever's it is.
func carriedText(c Carried) map[RuleKey][]string {
	out := map[RuleKey][]string{}
	for key, r := range c.Rules {
		all := slices.Clone(r.Unknown)
		for _, list := range r.Of {
			all = append(all, list...)
		}
		for _, a := range sortedAddrs(all) {
			out[key] = append(out[key], a.String())
		}
	}
	return out
}

func TestCarriedFromSkipsTheDNSRule(t *testing.T) {
	p := policy(on(to("dns.google"), udp(53), tcp(53)), on(to("a.example.com"), tcp(443)))
	names := namesOf(t, map[string]Name{"dns.google": answered("8.8.8.8"), "a.example.com": answered("192.0.2.1")})
	want := map[RuleKey][]string{dnsPortsKey: {"8.8.8.8"}, https: {"192.0.2.1"}}
	usual := input(p, names).DNS
	tests := map[string]struct {
		written, now func(*DNS)
		omit         bool
	}{
		"same facts":                        {},
		"convention, then the Service":      {written: func(d *DNS) { *d = DNS{Extra: given.Addrs("10.0.0.53")} }},
		"the Service, then gone":            {now: func(d *DNS) { *d = DNS{} }},
		"another ClusterIP":                 {now: func(d *DNS) { d.ClusterIPs = given.Addrs("10.96.0.99") }},
		"other target ports since":          {written: func(d *DNS) { d.TargetPorts = []DNSPort{{"UDP", 5353}} }},
		"other target ports than now":       {now: func(d *DNS) { d.TargetPorts = []DNSPort{{"UDP", 5353}} }},
		"no selector, another address":      {written: func(d *DNS) { d.Selector = nil }, now: func(d *DNS) { d.ClusterIPs = given.Addrs("10.96.0.99") }},
		"omitted: the leading rule is ours": {omit: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := input(p, names)
			if tt.omit {
				in.Policy.ClusterDNS = false
			}
			if tt.written != nil {
				tt.written(&in.DNS)
			}
			objects := cluster{}
			objects.run(t, in, start())
			now := usual
			if tt.now != nil {
				tt.now(&now)
			}
			if diff := cmp.Diff(want, carriedText(CarriedFrom(in.Policy, nil, objects.list(), now, start()))); diff != "" {
				t.Errorf("carried (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCarriedFromSkipsTheDNSRuleWhereNoOtherHasItsPorts(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	want := map[RuleKey][]string{https: {"192.0.2.1"}}
	for name, changed := range map[string]bool{"no selector, same facts": false, "another ClusterIP": true} {
		t.Run(name, func(t *testing.T) {
			in := in
			if !changed {
				in.DNS.Selector = nil
			}
			objects := cluster{}
			objects.run(t, in, start())
			if changed {
				in.DNS.ClusterIPs = given.Addrs("10.96.0.99")
			}
			if diff := cmp.Diff(want, carriedText(CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start()))); diff != "" {
				t.Errorf("carried (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCarriedListsOnlyWhatNoNameHas(t *testing.T) {
	in := input(policy(on(to("a.example.com", "b.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")}))
	in.Carried = Carried{Since: start(), Rules: map[RuleKey]CarriedRule{https: {Unknown: given.Addrs("192.0.2.1", "192.0.2.2")}}}
	plan := Compile(in, start())
	if diff := cmp.Diff(given.Addrs("192.0.2.2"), plan.Carried, addrComparer()); diff != "" || plan.AddressCount != 2 {
		t.Errorf("AddressCount = %d, Carried (-want +got):\n%s", plan.AddressCount, diff)
	}
}

// A policy that turns to mode Audit while no process runs reports what was answered, and is enforced again with what it had.
func TestCarriedIsNotReportedByAudit(t *testing.T) {
	in := input(policy(on(to("a.example.com"), tcp(443))), nil)
	in.Carried = Carried{Since: start(), Rules: map[RuleKey]CarriedRule{https: {Of: map[fqdn.Pattern][]netip.Addr{given.Pattern(t, "a.example.com"): given.Addrs("192.0.2.1")}}}}
	in.Policy.Audit = true
	plan := Compile(in, start())
	if plan.AddressCount != 0 || len(plan.CarriedFor) > 0 {
		t.Errorf("AddressCount = %d, CarriedFor %v, want none", plan.AddressCount, plan.CarriedFor)
	}
	in.Policy.Audit, in.Carried = false, plan.StillCarried
	if plan := Compile(in, start()); plan.AddressCount != 1 {
		t.Errorf("enforced again: AddressCount = %d, want 1", plan.AddressCount)
	}
}

func TestCarriedFromTakesSingleAddressesOfMarkedObjectsOnly(t *testing.T) {
	np := owned("web-fqdn-1")
	np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{
		addressPeer(given.Addrs("192.0.2.2")[0]), addressPeer(given.Addrs("192.0.2.1")[0]), addressPeer(given.Addrs("2001:db8::1")[0]), addressPeer(given.Addrs("192.0.2.1")[0]),
		{IPBlock: &networkingv1.IPBlock{CIDR: "198.51.100.0/24"}}, {IPBlock: &networkingv1.IPBlock{CIDR: "2001:db8::/32"}},
		{IPBlock: &networkingv1.IPBlock{CIDR: "nonsense/32"}},
	}}}
	np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{addressPeer(given.Addrs("192.0.2.3")[0])}})
	foreign, stray := np.DeepCopy(), np.DeepCopy()
	foreign.Labels, foreign.OwnerReferences = nil, nil
	stray.Name = "copy"
	foreign.Spec.Egress[0].To[0].IPBlock.CIDR = "203.0.113.1/32"
	stray.Spec.Egress[0].To[0].IPBlock.CIDR = "203.0.113.2/32"
	got := CarriedFrom(policy(), nil, []networkingv1.NetworkPolicy{*foreign, *stray, *np}, DNS{}, start())
	want := Carried{Since: start(), Rules: map[RuleKey]CarriedRule{"": {Unknown: given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")}}}
	if diff := cmp.Diff(want, got, addrComparer()); diff != "" {
		t.Errorf("carried (-want +got):\n%s", diff)
	}
}

func TestCarriedUntil(t *testing.T) {
	since, maxStale := start(), 24*time.Hour
	name := func(answered, retention time.Duration) Name {
		return Name{Answered: since.Add(answered), Retention: retention}
	}
	tests := map[string]struct {
		patterns []string
		names    map[string]Name
		want     time.Duration // after since
		none     bool
	}{
		"not answered: max-stale":             {patterns: []string{"a.example.com"}, want: maxStale},
		"asked, not answered: max-stale":      {patterns: []string{"a.example.com"}, names: map[string]Name{"a.example.com": {Retention: time.Minute}}, want: maxStale},
		"answered":                            {patterns: []string{"a.example.com"}, names: map[string]Name{"a.example.com": name(time.Second, time.Minute)}, want: time.Minute + time.Second},
		"answered before it was seen":         {patterns: []string{"a.example.com"}, names: map[string]Name{"a.example.com": name(-time.Hour, time.Minute)}, want: time.Minute},
		"the latest of answer and retention":  {patterns: []string{"a.example.com", "b.example.com"}, names: map[string]Name{"a.example.com": name(time.Second, time.Hour), "b.example.com": name(9*time.Second, time.Minute)}, want: time.Hour + time.Second},
		"one of two answered":                 {patterns: []string{"a.example.com", "b.example.com"}, names: map[string]Name{"a.example.com": name(time.Second, time.Minute)}, want: maxStale},
		"never beyond max-stale":              {patterns: []string{"a.example.com"}, names: map[string]Name{"a.example.com": name(time.Second, 48*time.Hour)}, want: maxStale},
		"a wildcard waits for no answer":      {patterns: []string{"a.example.com", "*.example.com"}, names: map[string]Name{"a.example.com": name(time.Second, time.Minute), "*.example.com": {Retention: 2 * time.Minute}}, want: 2 * time.Minute},
		"answered, cut by a limit":            {patterns: []string{"a.example.com"}, names: map[string]Name{"a.example.com": {Answered: since, Retention: time.Minute, Limited: true}}, want: maxStale},
		"a wildcard, cut by a limit":          {patterns: []string{"*.example.com"}, names: map[string]Name{"*.example.com": {Retention: time.Minute, Limited: true}}, want: maxStale},
		"wildcards only":                      {patterns: []string{"*.example.com"}, names: map[string]Name{"*.example.com": {Retention: time.Minute}}, want: time.Minute},
		"wildcards only, retention not known": {patterns: []string{"*.example.com"}, want: maxStale},
		"no name could have brought it":       {none: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var patterns []fqdn.Pattern
			for _, p := range tt.patterns {
				patterns = append(patterns, given.Pattern(t, p))
			}
			names := map[fqdn.Pattern]Name{}
			if tt.names != nil {
				names = namesOf(t, tt.names)
			}
			got, ok := Carried{Since: since}.until(patterns, names, maxStale)
			if ok == tt.none || ok && !got.Equal(since.Add(tt.want)) {
				t.Errorf("until = %v, %v; want %v after", got.Sub(since), ok, tt.want)
			}
		})
	}
}

func TestCarriedStaysInItsRuleOnly(t *testing.T) {
	objects := cluster{}
	objects.run(t, input(policy(on(to("a.example.com"), tcp(443))), namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1")})), start())
	in := input(policy(on(to("a.example.com"), tcp(80))), nil) // the ports were edited while no process ran
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	plan := objects.run(t, in, start())
	if len(plan.Carried) != 0 || len(objects.peersOf("TCP/80", in.DNS)) != 0 || len(objects.peersOf(https, in.DNS)) != 0 {
		t.Errorf("carried %v into another rule: %v", plan.Carried, objects)
	}
}

func TestCarriedThatIsOverStaysOver(t *testing.T) {
	p := policy(on(to("a.example.com"), tcp(443)), on(to("b.example.com"), tcp(22)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1"), "b.example.com": answered("192.0.2.2")})), start())
	carried := CarriedFrom(p, nil, objects.list(), DNS{}, start())

	in := input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.7"), "b.example.com": {}}))
	in.Carried, in.Live = carried, objects.list()
	early := Compile(in, start())
	if diff := cmp.Diff(carried, early.StillCarried, addrComparer()); diff != "" {
		t.Errorf("before retention has passed all is left: %s", diff)
	}
	// Retention has passed for a, and a write takes along what was due; b never answered.
	late := Compile(in, start().Add(6*time.Minute))
	want := Carried{Since: start(), Rules: map[RuleKey]CarriedRule{"TCP/22": {Of: map[fqdn.Pattern][]netip.Addr{given.Pattern(t, "b.example.com"): given.Addrs("192.0.2.2")}}}}
	if diff := cmp.Diff(want, late.StillCarried, addrComparer()); diff != "" {
		t.Error(diff)
	}
	// A rule that the spec has no more is over at once.
	in.Policy = policy(on(to("a.example.com"), tcp(443)))
	if left, found := Compile(in, start()).StillCarried.Rules["TCP/22"]; found {
		t.Errorf("left for a rule that is gone: %v", left)
	}
}

func TestCarriedCovers(t *testing.T) {
	c := Carried{Rules: map[RuleKey]CarriedRule{https: {Unknown: given.Addrs("192.0.2.1")}}}
	for name, tc := range map[string]struct {
		rules []v1alpha1.EgressRule
		want  bool
	}{
		"the same ports":         {[]v1alpha1.EgressRule{on(to("a.example.com"), tcp(443))}, true},
		"other ports":            {[]v1alpha1.EgressRule{on(to("a.example.com"), tcp(8443))}, false},
		"ports beside":           {[]v1alpha1.EgressRule{on(to("a.example.com"), tcp(443), tcp(8443))}, false},
		"a rule without names":   {[]v1alpha1.EgressRule{{To: []v1alpha1.EgressPeer{pods("db")}}}, true},
		"one of two not covered": {[]v1alpha1.EgressRule{on(to("a.example.com"), tcp(443)), to("b.example.com")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.Covers(policy(tc.rules...)); got != tc.want {
				t.Errorf("Covers = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestIPBlocksOfTheSpecAreNotCarried(t *testing.T) {
	r := on(to("a.example.com"), tcp(443))
	r.To = append(r.To, block("192.0.2.7/32"))
	in := input(policy(r), nil)
	objects := cluster{}
	objects.run(t, in, start())
	in.Carried = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start())
	in.Live = objects.list()
	plan := Compile(in, start())
	if len(plan.Steps) > 0 || len(plan.Carried) > 0 || plan.AddressCount != 0 || !plan.Next.IsZero() {
		t.Errorf("steps %v, Carried %v, AddressCount %d, Next %v; want none", stepNames(plan.Steps), plan.Carried, plan.AddressCount, plan.Next)
	}
}
