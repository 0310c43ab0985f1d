// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

func portGroups() []group {
	return []group{
		{
			name: "port of a rule with an fqdn",
			spec: "{podSelector: {}, egress: [{to: [{podSelector: {}}, {fqdn: a.example.com}], ports: [%s]}]}",
			rows: []row{
				{"named port", "{port: 443}, {port: https}", "{port: 443}, {port: 8443}", "egress[0].ports", "write the port's number in a rule with an fqdn"},
			},
		},
		{
			name: "port beside an fqdn",
			spec: "{podSelector: {}, egress: [{to: [{fqdn: www.example.com}], ports: [%s]}]}",
			rows: []row{
				{"number with a blank behind", "{port: '443 '}", "{port: 443}", "egress[0].ports[0].port", "write port: 443, without quotes and blanks"},
				{"range in quotes", "{port: '80-90'}", "{port: 80, endPort: 90}", "egress[0].ports[0].port", "write its lower end in port and its upper end in endPort"},
			},
		},
		{
			name: "port",
			spec: "{podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [%s]}]}",
			rows: []row{
				{"zero", "{port: 0}", "{port: 1}", "egress[0].ports[0].port", "write a port from 1 to 65535"},
				{"negative", "{port: -1}", "{port: 1}", "egress[0].ports[0].port", "write a port from 1 to 65535"},
				{"too high", "{port: 65536}", "{port: 65535}", "egress[0].ports[0].port", "leave port out for all ports of the protocol"},
				{"beyond 32 bits", "{port: 4294967376}", "{port: 80}", "egress[0].ports[0].port", "write a port from 1 to 65535"},
				{"number in quotes", "{port: '80'}", "{port: 80}", "egress[0].ports[0].port", "this is a text, not a number: write port: 80, without quotes and blanks"},
				{"number with a blank behind", "{port: '443 '}", "{port: 443}", "egress[0].ports[0].port", "write port: 443, without quotes and blanks"},
				{"number with a blank in front", "{port: ' 443'}", "{port: 443}", "egress[0].ports[0].port", "write port: 443, without quotes and blanks"},
				{"range in quotes", "{port: '80-90'}", "{port: 80, endPort: 90}", "egress[0].ports[0].port", "write its lower end in port and its upper end in endPort"},
				{"range with a colon", "{port: '80:90'}", "{port: 80, endPort: 90}", "egress[0].ports[0].port", "write its lower end in port and its upper end in endPort"},
				{"two numbers", "{port: '80,443'}", "{port: 80}, {port: 443}", "egress[0].ports[0].port", "write the number of a port, such as 443"},
				{"name in upper case", "{port: HTTP}", "{port: http}", "egress[0].ports[0].port", "write the number of a port, such as 443, or the name of a port"},
				{"name with two hyphens", "{port: a--b}", "{port: a-b}", "egress[0].ports[0].port", "write the number of a port, such as 443, or the name of a port"},
				{"name that begins with a hyphen", "{port: -a}", "{port: 8-a-8}", "egress[0].ports[0].port", "write the number of a port, such as 443, or the name of a port"},
				{"name that ends with a hyphen", "{port: a-}", "{port: a-1}", "egress[0].ports[0].port", "write the number of a port, such as 443, or the name of a port"},
				{"name without a letter", "{port: 1-2}", "{port: 1-2b}", "egress[0].ports[0].port", "write its lower end in port and its upper end in endPort"},
				{"empty name", "{port: ''}", "{}", "egress[0].ports[0].port", "write the number of a port, such as 443, or the name of a port"},
				{"name of 16 characters", "{port: abcdefghijklmnop}", "{port: abcdefghijklmno}", "egress[0].ports[0].port", "at most 15 lower case letters"},
				{"unknown protocol", "{protocol: ICMP}", "{protocol: SCTP}", "egress[0].ports[0].protocol", `supported values: "TCP", "UDP", "SCTP"`},
				{"protocol in lower case", "{protocol: tcp}", "{protocol: TCP}, {protocol: UDP}", "egress[0].ports[0].protocol", `supported values: "TCP", "UDP", "SCTP"`},
				{"endPort alone", "{endPort: 90}", "{port: 80, endPort: 90}", "egress[0].ports[0].endPort", "endPort ends a range that begins at port: write port too, as a number"},
				{"endPort of a named port", "{port: http, endPort: 90}", "{port: http}", "egress[0].ports[0].endPort", "write port too, as a number"},
				{"endPort below port", "{port: 90, endPort: 80}", "{port: 90, endPort: 90}", "egress[0].ports[0].endPort", "write the lower end of the range in port and the upper end in endPort"},
				{"endPort too high", "{port: 90, endPort: 65536}", "{port: 90, endPort: 65535}", "egress[0].ports[0].endPort", "should be less than or equal to 65535"},
			},
		},
	}
}
