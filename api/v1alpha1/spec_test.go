// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

func specGroups() []group {
	return []group{
		{
			name: "spec",
			spec: "{%s}",
			rows: []row{
				{"no podSelector", "egress: []", "podSelector: {}, egress: []", "podSelector", "Required value"},
				{"clusterDNS unknown", "podSelector: {}, clusterDNS: Deny", "podSelector: {}, clusterDNS: Omit", "clusterDNS", `supported values: "Allow", "Omit"`},
				{"mode unknown", "podSelector: {}, mode: DryRun", "podSelector: {}, mode: Audit", "mode", `supported values: "Enforce", "Audit"`},
				{"retention zero", "podSelector: {}, retentionSeconds: 0", "podSelector: {}, retentionSeconds: 1", "retentionSeconds", "should be greater than or equal to 1"},
				{"retention above a week", "podSelector: {}, retentionSeconds: 604801", "podSelector: {}, retentionSeconds: 604800", "retentionSeconds", "should be less than or equal to 604800"},
				{"501 names", capacity(501), capacity(500), "egress", "split it into several policies with the same podSelector"},
				{"501 peers in a rule", "podSelector: {}, egress: [" + blocksOf(501) + "]", "podSelector: {}, egress: [" + blocksOf(500) + "]", "egress[0].to", "a rule holds at most 500 peers, and this one has 501: write several rules with the same ports, they add up"},
				{"17 rules", "podSelector: {}, egress: [" + rulesOf(17) + "]", "podSelector: {}, egress: [" + rulesOf(16) + "]", "egress", "must have at most 16 items"},
				{"101 ports", "podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [" + portsOf(101) + "]}]", "podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [" + portsOf(100) + "]}]", "egress[0].ports", "a rule holds at most 100 ports, and this one has 101: write ranges"},
				{"33 exceptions", exceptOf(33), exceptOf(32), "egress[0].to[0].ipBlock.except", "a block holds at most 32 exceptions, and this one has 33"},
				{"33 private blocks", "podSelector: {}, allowedPrivateCIDRs: [" + privateOf(33) + "]", "podSelector: {}, allowedPrivateCIDRs: [" + privateOf(32) + "]", "allowedPrivateCIDRs", "a policy holds at most 32 allowedPrivateCIDRs, and this one has 33: write fewer, wider blocks"},
			},
		},
		{
			name: "allowedPrivateCIDRs",
			spec: "{podSelector: {}, allowedPrivateCIDRs: [%s]}",
			rows: []row{
				{"no block", "10.1.2.3", "10.1.2.3/32", "allowedPrivateCIDRs[0]", "write an address block"},
				{"host bits", "10.1.2.3/16", "10.1.0.0/16", "allowedPrivateCIDRs[0]", "write 10.1.0.0/16 for the block"},
				{"public", "8.8.8.0/24", "100.64.0.0/10", privateField, "write a block inside private space"},
				{"wider than private space", "172.0.0.0/11", "172.16.0.0/12", privateField, "write a block inside private space"},
				{"around private space", "192.160.0.0/12", "192.168.0.0/16", privateField, "addresses outside of it need no entry"},
				{"link-local", "169.254.0.0/16", "10.254.0.0/16", privateField, "write a block inside private space"},
				{"IPv6 public", "'2001:db8::/32'", "'fd00::/8'", privateField, "write a block inside private space"},
				{"IPv6 link-local", "'fe80::/10'", "'fc00::/7'", privateField, "write a block inside private space"},
				{"everything", "0.0.0.0/0", "10.0.0.0/8", privateField, "write a block inside private space"},
			},
		},
		{
			name: "upstreams",
			spec: "{podSelector: {}, upstreams: [%s]}",
			rows: []row{
				{"a host name", "'dns.example.com'", "'10.0.0.53'", upstreamField, "a host name could not be resolved"},
				{"no port after the colon", "'10.0.0.53:'", "'10.0.0.53:5353'", upstreamField, writeAServer},
				{"another scheme", "'https://10.0.0.53'", "'udp://10.0.0.53'", upstreamField, writeAServer},
				{"a certificate's name without TLS", "'10.0.0.53#dns.example.com'", "'tls://10.0.0.53#dns.example.com'", upstreamField, writeAServer},
				{"an empty certificate's name", "'tls://10.0.0.53#'", "'tls://10.0.0.53'", upstreamField, writeAServer},
				{"a certificate's name of one label", "'tls://10.0.0.53#dns'", "'tls://10.0.0.53#dns.example.com.'", upstreamField, writeAServer},
				{"two in one", "'10.0.0.53,10.0.0.54'", "'10.0.0.53', '10.0.0.54'", upstreamField, writeAServer},
				{"a space", "' 10.0.0.53'", "'fd00::53'", upstreamField, writeAServer},
				{"IPv6 with half a bracket", "'[fd00::53:853'", "'tls://[fd00::53]:853#dns.example.com'", upstreamField, writeAServer},
				{"a number above 255", "'999.1.1.1:53'", "'255.1.1.1:53'", upstreamField, writeIPv4},
				{"three numbers", "'10.0.53'", "'10.0.0.53'", upstreamField, writeIPv4},
				{"a number above 255 over TLS", "'tls://10.0.0.256#dns.example.com'", "'tls://10.0.0.255#1.300.example.com'", upstreamField, writeIPv4},
				{"a port above 65535", "'10.0.0.53:65536'", "'10.0.0.53:65535'", upstreamField, writeAPort},
				{"a port above 65535 over TLS", "'tls://[fd00::53]:99999#dns.example.com'", "'tls://[fd00::53]:9999#dns.example.com'", upstreamField, writeAPort},
				{"port 0", "'[fd00::53]:0'", "'fd00::0'", upstreamField, writeAPort},
				{"none", "", "'tcp://[fd00::53]:53'", "upstreams", "should have at least 1 items"},
				{"five", "'1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4', '1.1.1.5'", "'1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4'", "upstreams", "a policy names at most 4 upstreams, and this one has 5"},
				{"twice", "'1.1.1.1', '1.1.1.1'", "'1.1.1.1'", "upstreams[1]", "Duplicate value"},
			},
		},
	}
}

const (
	upstreamField = "upstreams[0]"
	writeAServer  = "write the IP address of a DNS server and a port"
	writeIPv4     = "write an IPv4 address as four numbers"
	writeAPort    = "write a port from 1 to 65535"
)

const privateField = "allowedPrivateCIDRs[0]"

// ruleOf returns a rule in YAML with n names of the greatest length, different for each rule i.
func ruleOf(n, i int) string {
	peers := make([]string, n)
	for j := range peers {
		host := fmt.Sprintf("n%d-%d", i, j)
		peers[j] = "{fqdn: " + host + name253[len(host):] + "}"
	}
	return "{to: [" + strings.Join(peers, ", ") + "]}"
}

// capacity returns a spec in YAML with n names, 500 in a rule at most.
func capacity(n int) string {
	var rules []string
	for i := 0; n > 0; i++ {
		rules = append(rules, ruleOf(min(n, 500), i))
		n -= 500
	}
	return "podSelector: {}, egress: [" + strings.Join(rules, ", ") + "]"
}

// listOf returns n items in YAML.
func listOf(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ", ")
}

func blocksOf(n int) string {
	return "{to: [" + listOf(n, func(i int) string { return fmt.Sprintf("{ipBlock: {cidr: 10.%d.%d.0/24}}", i/250, i%250) }) + "]}"
}

func rulesOf(n int) string {
	return listOf(n, func(i int) string { return fmt.Sprintf("{to: [{podSelector: {}}], ports: [{port: %d}]}", i+1) })
}

func portsOf(n int) string {
	return listOf(n, func(i int) string { return fmt.Sprintf("{port: %d}", i+1) })
}

func privateOf(n int) string {
	return listOf(n, func(i int) string { return fmt.Sprintf("10.%d.0.0/16", i) })
}

func exceptOf(n int) string {
	return "podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [" + privateOf(n) + "]}}]}]"
}

// What the bounds admit must not run into the API server's limit on the cost of all rules together.
func TestCapacity_FullPolicyIsStored(t *testing.T) {
	c := newClient(t)
	except := strings.Join(slices.Repeat([]string{"'2001:db8:0:1::/64'"}, 32), ", ")
	others := listOf(500, func(i int) string {
		if i >= 50 {
			return fmt.Sprintf("{ipBlock: {cidr: '2001:db8:%x::/48', except: ['2001:db8:%x:1::/64', '2001:db8:%x:2::/64']}}", i, i, i)
		}
		return "{ipBlock: {cidr: '2001:db8::/48', except: [" + except + "]}}"
	})
	spec := strings.TrimSuffix(capacity(500), "]") + ", {to: [" + others + "], ports: [{port: 1, endPort: 65535}]}"
	o := policy(t, "full", "{"+spec+"]}")
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, c, o) })
}

func remove(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	if err := client.IgnoreNotFound(c.Delete(context.WithoutCancel(t.Context()), o)); err != nil {
		t.Error(err)
	}
}

func TestName_IsAtMost63Characters(t *testing.T) {
	c := newClient(t)
	for name, valid := range map[string]bool{
		label63:                         true,
		"web.shop.example.com":          true,
		label63 + "a":                   false,
		strings.Repeat("a.", 31) + "aa": false,
		strings.Repeat("a.", 31) + "a":  true,
	} {
		err := dryRun(t, c, policy(t, name, "{podSelector: {}}"))
		if valid && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !valid && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "write at most 63 characters")) {
			t.Errorf("%s: got %v, want a refusal that tells the length", name, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := newClient(t)
	o := policy(t, "defaults", "{podSelector: {}, egress: [{to: [{fqdn: A.Example.com.}], ports: [{port: 443}]}]}")
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, c, o) })
	got := &v1alpha1.FQDNEgressPolicy{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), got); err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.FQDNEgressPolicySpec{
		Egress: []v1alpha1.EgressRule{{
			To:    []v1alpha1.EgressPeer{{FQDN: "A.Example.com."}}, // as written
			Ports: []v1alpha1.EgressPort{{Port: new(intstr.FromInt32(443))}},
		}},
		ClusterDNS: v1alpha1.ClusterDNSAllow,
		Mode:       v1alpha1.ModeEnforce,
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// A field that does not exist is refused and not dropped: a misspelt podSelector would select every pod.
func TestUnknownFieldsAreRefused(t *testing.T) {
	c := newClient(t)
	for spec, field := range map[string]string{
		"{podSelector: {}, egres: []}":                                         "spec.egres",
		"{podSelector: {matchLabel: {app: web}}}":                              "spec.podSelector.matchLabel",
		"{podSelector: {}, egress: [{to: [{fqdn: a.b, host: c.d}]}]}":          "spec.egress[0].to[0].host",
		"{podSelector: {}, egress: [{to: [{fqdn: a.b}], port: [443]}]}":        "spec.egress[0].port",
		"{podSelector: {}, egress: [{to: [{fqdn: a.b}], ports: [{from: 1}]}]}": "spec.egress[0].ports[0].from",
	} {
		err := dryRun(t, c, policy(t, "p", spec))
		if !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `unknown field "`+field+`"`) {
			t.Errorf("%s: got %v, want an unknown field %s", spec, err, field)
		}
	}
	if err := dryRun(t, c, policy(t, "p", "{podSelector: {matchLabels: {app: web}}}")); err != nil {
		t.Error(err)
	}
}
