// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// EgressRule allows every peer of `to` on every port of `ports`.
// ---
// The schema admits 540 peers where the rule admits 500: a bound of the schema says nothing but its number, and hides the
// rules. More of either would exceed the cost that an API server allows to the rules of a CRD.
//
// +kubebuilder:validation:XValidation:rule=`self.to.size() > 0`,message="an empty list would mean anywhere: write at least one peer; to allow every address, write ipBlock {cidr: 0.0.0.0/0} and ipBlock {cidr: '::/0'}",fieldPath=`.to`,reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.ports) || !self.ports.exists(p, has(p.port) && type(p.port) == string && p.port.matches('[a-z]')) || !self.to.exists(p, has(p.fqdn))`,message="a named port means a port of a pod and nothing outside the cluster: write the port's number in a rule with an fqdn, and put pods with named ports in a rule of their own",fieldPath=`.ports`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`self.to.size() <= 500`,messageExpression=`'a rule holds at most 500 peers, and this one has %d: write several rules with the same ports, they add up'.format([self.to.size()])`,fieldPath=`.to`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.ports) || self.ports.size() <= 100`,messageExpression=`'a rule holds at most 100 ports, and this one has %d: write ranges (port and endPort), or several rules with the same peers'.format([self.ports.size()])`,fieldPath=`.ports`,reason=FieldValueInvalid
type EgressRule struct {
	// to lists the peers, 1 to 500.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=540
	To []EgressPeer `json:"to"`

	// ports lists the ports, at most 100. None means all ports of all protocols.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Ports []EgressPort `json:"ports,omitempty"`
}

// EgressPeer is one host name (fqdn alone), or one ordinary NetworkPolicy peer: ipBlock alone, or podSelector,
// namespaceSelector or both.
//
// +kubebuilder:validation:XValidation:rule=`has(self.fqdn) || has(self.ipBlock) || has(self.podSelector) || has(self.namespaceSelector)`,message="an empty peer would mean anywhere: write fqdn, ipBlock, podSelector or namespaceSelector",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.fqdn) || !(has(self.ipBlock) || has(self.podSelector) || has(self.namespaceSelector))`,message="a peer is either a host or an ordinary peer: write fqdn and the others as separate entries of to",reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule=`has(self.fqdn) || !has(self.ipBlock) || !(has(self.podSelector) || has(self.namespaceSelector))`,message="a peer is either addresses or pods: write ipBlock and the selectors as separate entries of to",reason=FieldValueForbidden
type EgressPeer struct {
	// fqdn is a host name such as www.example.com, or a wildcard such as *.example.com, which means every name with one
	// or more labels in front of example.com, never example.com itself.
	// +optional
	FQDN FQDN `json:"fqdn,omitempty"`

	// podSelector selects pods: of this namespace, or of the namespaces that namespaceSelector selects; {} selects all of
	// them.
	// +optional
	PodSelector *LabelSelector `json:"podSelector,omitempty"`

	// namespaceSelector selects namespaces: all of their pods, or those that podSelector selects; {} selects all
	// namespaces.
	// +optional
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"`

	// ipBlock is a block of addresses, for hosts that have no name.
	// +optional
	IPBlock *IPBlock `json:"ipBlock,omitempty"`
}

// FQDN is a host name, or a wildcard pattern such as *.example.com.
//
// Names are stored as written and compared in lower case, without the trailing dot. A name has at least two labels of at
// most 63 letters, digits, '-' and '_' (RFC 1035 section 2.3.4, RFC 2181 section 11), and at most 253 characters. Names
// outside ASCII are written as A-labels (RFC 5890).
// ---
// internal/fqdn parses what these rules accept; a test holds the two together. The cost of a rule counts for every peer that
// fits into a policy, so the expressions are as short as they can be.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=255
// +kubebuilder:validation:XValidation:rule=`!(self in ['localhost', 'localhost.', '127.0.0.1', '::1'])`,message="a pod always reaches itself, and no policy can keep it from that: leave localhost, 127.0.0.1 and ::1 out"
// +kubebuilder:validation:XValidation:rule=`self == '127.0.0.1' || !self.matches(r'\.\d+\.?$')`,message="an address is not a name, and no name ends in a number: write addresses as ipBlock, such as ipBlock {cidr: 192.0.2.7/32}"
// +kubebuilder:validation:XValidation:rule=`!self.matches('[,; ]')`,message="one entry holds one host: write each host as an entry of its own, without ',', ';' or spaces"
// +kubebuilder:validation:XValidation:rule=`self == '::1' || !self.matches(r'[^\w.*,; [:^ascii:]-]')`,message="a name consists of letters, digits, '-', '_' and '.': write the host alone, without scheme, port or path; write addresses as ipBlock, such as ipBlock {cidr: '2001:db8::7/128'}"
// +kubebuilder:validation:XValidation:rule=`!self.matches('[[:^ascii:]]')`,message="DNS has no letters outside ASCII: write the A-label, xn--..., such as xn--bcher-kva.example for bücher.example"
// +kubebuilder:validation:XValidation:rule=`self in ['localhost', 'localhost.'] || !self.matches(r'^[\w-]+\.?$')`,message="a single label is not a full name: write all of it, such as api.example.com; for pods of the cluster use podSelector and namespaceSelector"
// +kubebuilder:validation:XValidation:rule=`!(self in ['*', '*.'])`,message="'*' alone would mean any host: write the domain, such as *.example.com; to allow every address, write ipBlock {cidr: 0.0.0.0/0} and ipBlock {cidr: '::/0'}"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^\*\.[^.*]+\.?$')`,message="a wildcard on a top-level domain is too wide: write at least two labels after '*.', such as *.example.com"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'\*.*\*|\.\*')`,message="'*' stands only for the whole first label: write *.example.com, it covers every depth below example.com"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'\*[\w-]|[\w-]\*')`,message="'*' stands for whole labels, not for a part of one: list the hosts one by one, such as replica1.example.com and replica2.example.com; *.example.com would allow every host below example.com"
// +kubebuilder:validation:XValidation:rule=`!self.startsWith('.') && !self.contains('..')`,message="a label is empty: write one dot between labels and none in front; for all names below a domain write *.example.com"
// +kubebuilder:validation:XValidation:rule=`!self.matches('[^.]{64}')`,message="a label is longer than 63 characters, which DNS cannot hold: write the name as the server has it"
// +kubebuilder:validation:XValidation:rule=`self.size() <= 253 || self.size() == 254 && self.endsWith('.')`,message="a name is longer than 253 characters, which DNS cannot hold: write the name as the server has it"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'-\.|\.-|^-|-$')`,message="a label begins or ends with '-', which no host name does: write letters, digits or '_' there"
type FQDN string

// EgressPort has the fields and the meaning of NetworkPolicyPort of networking.k8s.io/v1.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.port) || type(self.port) != string || !self.port.matches(r'^[ ]*[0-9]+[ ]*$')`,messageExpression=`'this is a text, not a number: write port: %s, without quotes and blanks'.format([self.port.trim()])`,message="this is a text, not a number: write the port without quotes and blanks",fieldPath=`.port`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.port) || type(self.port) != string || !self.port.matches(r'^[ ]*[0-9]+[ ]*[-:][ ]*[0-9]+[ ]*$')`,message="this is a range: write its lower end in port and its upper end in endPort, both as numbers",fieldPath=`.port`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.port) || type(self.port) != string || self.port.matches(r'^[ 0-9:-]*[0-9][ 0-9:-]*$') || self.port.matches(r'^([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$') && self.port.size() <= 15`,message="write the number of a port, such as 443, or the name of a port of the peer's pods: at most 15 lower case letters, digits and single '-', one letter at least",fieldPath=`.port`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.port) || type(self.port) != int || (int(self.port) >= 1 && int(self.port) <= 65535)`,message="write a port from 1 to 65535; leave port out for all ports of the protocol",fieldPath=`.port`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.endPort) || (has(self.port) && type(self.port) == int)`,message="endPort ends a range that begins at port: write port too, as a number",fieldPath=`.endPort`,reason=FieldValueForbidden
// +kubebuilder:validation:XValidation:rule=`!has(self.endPort) || !has(self.port) || type(self.port) != int || self.endPort >= int(self.port)`,message="endPort is below port: write the lower end of the range in port and the upper end in endPort",fieldPath=`.endPort`,reason=FieldValueInvalid
type EgressPort struct {
	// protocol is TCP, UDP or SCTP. Unset: TCP.
	// +optional
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol *corev1.Protocol `json:"protocol,omitempty"`

	// port is a port's number or, in a rule without an fqdn, the name of a port of the peer's pods. Unset: all ports of
	// the protocol.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=63
	Port *intstr.IntOrString `json:"port,omitempty"`

	// endPort makes a range of ports, from port to endPort, both included.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	EndPort *int32 `json:"endPort,omitempty"`
}

// IPBlock has the fields and the meaning of IPBlock of networking.k8s.io/v1.
//
// ---
// The rules on except are three and stand here, as the cost of one that parses each block twice exceeds what an API server
// allows.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.except) || self.except.all(e, isCIDR(e))`,message="except lists address blocks, such as 10.1.0.0/16 or fd00:1::/48: write one address as a /32 (IPv4) or a /128 (IPv6) block",fieldPath=`.except`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.except) || !isCIDR(self.cidr) || [cidr(self.cidr)].all(c, self.except.all(e, c.containsCIDR(e)))`,message="every except is a part of cidr: write blocks that lie inside it and are smaller",fieldPath=`.except`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.except) || !isCIDR(self.cidr) || [cidr(self.cidr).prefixLength()].all(n, self.except.all(e, cidr(e).prefixLength() != n))`,message="an except as wide as cidr leaves nothing of it: write smaller blocks",fieldPath=`.except`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.except) || self.except.size() <= 32`,messageExpression=`'a block holds at most 32 exceptions, and this one has %d: write the parts of cidr that are meant as ipBlocks of their own'.format([self.except.size()])`,fieldPath=`.except`,reason=FieldValueInvalid
type IPBlock struct {
	// cidr is the block, such as 192.0.2.0/24 or 2001:db8::/64.
	// +required
	CIDR CIDR `json:"cidr"`

	// except lists the blocks inside cidr that are not meant, at most 32.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=36
	// +kubebuilder:validation:items:MaxLength=43
	Except []string `json:"except,omitempty"`
}

// CIDR is an address block such as 10.1.0.0/16 or fd00:1::/48, without bits beyond the prefix.
// ---
// The CIDR functions may be used by a CRD from Kubernetes 1.31 on. That version takes the cost of == on blocks and of +
// on computed strings for unlimited, so the rules say "in [...]" and format.
//
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule=`isCIDR(self)`,message="write an address block, such as 10.1.0.0/16 or fd00:1::/48; one address is a /32 (IPv4) or a /128 (IPv6) block"
// +kubebuilder:validation:XValidation:rule=`!isCIDR(self) || [cidr(self)].all(c, c in [c.masked()])`,messageExpression=`'the address has bits set beyond the prefix: write %s for the block, or one address as a /32 (IPv4) or a /128 (IPv6) block'.format([string(cidr(self).masked())])`
type CIDR string
