// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

func peerGroups() []group {
	return []group{
		{
			name: "peer",
			spec: "{podSelector: {}, egress: [{to: [%s]}]}",
			rows: []row{
				{"nothing", "{}", "{podSelector: {}}", "egress[0].to[0]", "write fqdn, ipBlock, podSelector or namespaceSelector"},
				{"fqdn and ipBlock", "{fqdn: a.example.com, ipBlock: {cidr: 10.0.0.0/8}}", "{fqdn: a.example.com}, {ipBlock: {cidr: 10.0.0.0/8}}", "egress[0].to[0]", "write fqdn and the others as separate entries of to"},
				{"fqdn and podSelector", "{fqdn: a.example.com, podSelector: {}}", "{fqdn: a.example.com}, {podSelector: {}}", "egress[0].to[0]", "write fqdn and the others as separate entries of to"},
				{"fqdn and namespaceSelector", "{fqdn: a.example.com, namespaceSelector: {}}", "{fqdn: a.example.com}, {namespaceSelector: {}}", "egress[0].to[0]", "write fqdn and the others as separate entries of to"},
				{"fqdn and all others", "{fqdn: a.example.com, ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}, namespaceSelector: {}}", "{podSelector: {}, namespaceSelector: {}}", "egress[0].to[0]", "write fqdn and the others as separate entries of to"},
				{"ipBlock and podSelector", "{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}", "{ipBlock: {cidr: 10.0.0.0/8}}, {podSelector: {}}", "egress[0].to[0]", "write ipBlock and the selectors as separate entries of to"},
				{"ipBlock and namespaceSelector", "{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}", "{namespaceSelector: {}, podSelector: {}}", "egress[0].to[0]", "write ipBlock and the selectors as separate entries of to"},
			},
		},
		{
			name: "rule",
			spec: "{podSelector: {}, egress: [%s]}",
			rows: []row{
				{"empty to", "{to: []}", "{to: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}", "egress[0].to", "an empty list would mean anywhere: write at least one peer"},
				{"no to", "{ports: [{port: 443}]}", "{to: [{fqdn: a.example.com}], ports: [{port: 443}]}", "egress[0].to", "Required value"},
				{"null to", "{to: null}", "{to: [{fqdn: a.example.com}]}", "egress[0].to", "Required value"},
			},
		},
		{
			name: "ipBlock",
			spec: "{podSelector: {}, egress: [{to: [{ipBlock: %s}]}]}",
			rows: []row{
				{"no cidr", "{except: [10.0.0.0/8]}", "{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}", "egress[0].to[0].ipBlock.cidr", "Required value"},
				{"address", "{cidr: 10.1.2.3}", "{cidr: 10.1.2.3/32}", cidrField, "one address is a /32 (IPv4) or a /128 (IPv6) block"},
				{"name", "{cidr: www.example.com}", "{cidr: 192.0.2.0/24}", cidrField, "write an address block, such as 10.1.0.0/16 or fd00:1::/48"},
				{"prefix too long", "{cidr: 10.0.0.0/33}", "{cidr: 10.0.0.0/32}", cidrField, "write an address block"},
				{"IPv6 prefix too long", "{cidr: 'fd00::/129'}", "{cidr: 'fd00::/128'}", cidrField, "write an address block"},
				{"leading zero", "{cidr: 010.0.0.0/8}", "{cidr: 10.0.0.0/8}", cidrField, "write an address block"},
				{"IPv4-mapped", "{cidr: '::ffff:10.0.0.0/104'}", "{cidr: 10.0.0.0/8}", cidrField, "write an address block"},
				{"host bits", "{cidr: 10.1.2.3/16}", "{cidr: 10.1.0.0/16}", cidrField, "the address has bits set beyond the prefix: write 10.1.0.0/16 for the block, or one address as a /32 (IPv4) or a /128 (IPv6) block"},
				{"IPv6 host bits", "{cidr: 'FD00::1/64'}", "{cidr: 'FD00::/64'}", cidrField, "write fd00::/64 for the block"},
				{"empty", "{cidr: ''}", "{cidr: '::/0'}", cidrField, "write an address block"},
				{"except no block", "{cidr: 10.0.0.0/8, except: [10.1.2.3]}", "{cidr: 10.0.0.0/8, except: [10.1.2.3/32]}", exceptField, "write one address as a /32 (IPv4) or a /128 (IPv6) block"},
				{"except outside", "{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 192.168.0.0/16]}", "{cidr: 0.0.0.0/0, except: [10.1.0.0/16, 192.168.0.0/16]}", exceptField, "write blocks that lie inside it and are smaller"},
				{"except is cidr", "{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}", "{cidr: 10.0.0.0/8, except: [10.0.0.0/9]}", exceptField, "an except as wide as cidr leaves nothing of it: write smaller blocks"},
				{"except is cidr in other letters", "{cidr: 'fd00::/64', except: ['FD00:0::/64']}", "{cidr: 'fd00::/64', except: ['FD00:0::/65']}", exceptField, "an except as wide as cidr leaves nothing of it: write smaller blocks"},
				{"except holds cidr", "{cidr: 10.1.0.0/16, except: [10.0.0.0/8]}", "{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}", exceptField, "write blocks that lie inside it and are smaller"},
				{"except of the other family", "{cidr: 0.0.0.0/0, except: ['fd00::/8']}", "{cidr: '::/0', except: ['fd00::/8']}", exceptField, "write blocks that lie inside it and are smaller"},
			},
		},
	}
}

const (
	cidrField   = "egress[0].to[0].ipBlock.cidr"
	exceptField = "egress[0].to[0].ipBlock.except"
)
