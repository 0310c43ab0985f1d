// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// EgressRule allows every peer of `to` on every port of `ports`.
//
// +kubebuilder:validation:XValidation:rule=`self.to.size() > 0`,message="an empty list would mean anywhere: write at least one peer; to allow every address, write ipBlock {cidr: 0.0.0.0/0} and ipBlock {cidr: '::/0'}",fieldPath=`.to`,reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule=`!has(self.ports) || !self.ports.exists(p, has(p.port) && type(p.port) == string) || !self.to.exists(p, has(p.fqdn))`,message="a named port means a port of a pod and nothing outside the cluster: write the port's number in a rule with an fqdn, and put pods with named ports in a rule of their own",fieldPath=`.ports`,reason=FieldValueInvalid
type EgressRule struct {
	// to lists the peers; at least one.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	To []EgressPeer `json:"to"`

	// ports lists the ports. None means all ports of all protocols.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
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
// The bound is looser than 253, because a bound that is hit hides the rules, which say more. internal/fqdn parses what
// these rules accept; a test holds the two together.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=300
// +kubebuilder:validation:XValidation:rule=`!isIP(self) && !isCIDR(self) && !self.matches(r'[.][0-9]+[.]?$')`,message="an address is not a name, and no name ends in a number: write addresses as ipBlock, such as ipBlock {cidr: 192.0.2.7/32}"
// +kubebuilder:validation:XValidation:rule=`isIP(self) || isCIDR(self) || !self.matches(r'[\x00-)+,/:-@[-^\x60{-\x7F]')`,message="a name consists of letters, digits, '-', '_' and '.': write the host alone, without scheme, port, path or spaces"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'[^\x00-\x7F]')`,message="DNS has no letters outside ASCII: write the A-label, xn--..., such as xn--bcher-kva.example for bücher.example"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^[^.*:/]+[.]?$')`,message="a single label is not a full name: write all of it, such as api.example.com; for pods of the cluster use podSelector and namespaceSelector"
// +kubebuilder:validation:XValidation:rule=`!(self in ['*', '*.'])`,message="'*' alone would mean any host: write the domain, such as *.example.com; to allow every address, write ipBlock {cidr: 0.0.0.0/0} and ipBlock {cidr: '::/0'}"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^[*][.][^.*]+[.]?$')`,message="a wildcard on a top-level domain is too wide: write at least two labels after '*.', such as *.example.com"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'.[*]|^[*][^.]')`,message="'*' stands only for the whole first label: write *.example.com, it covers every depth below example.com"
// +kubebuilder:validation:XValidation:rule=`!self.startsWith('.') && !self.contains('..')`,message="a label is empty: write one dot between labels and none in front; for all names below a domain write *.example.com"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'[^.]{64}')`,message="a label is longer than 63 characters, which DNS cannot hold: write the name as the server has it"
// +kubebuilder:validation:XValidation:rule=`self.size() - (self.endsWith('.') ? 1 : 0) <= 253`,message="a name is longer than 253 characters, which DNS cannot hold: write the name as the server has it"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'(^|[.])-|-([.]|$)')`,message="a label begins or ends with '-', which no host name does: write letters, digits or '_' there"
type FQDN string

// EgressPort has the fields and the meaning of NetworkPolicyPort of networking.k8s.io/v1.
//
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
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	Port *intstr.IntOrString `json:"port,omitempty"`

	// endPort makes a range of ports, from port to endPort, both included.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	EndPort *int32 `json:"endPort,omitempty"`
}

// IPBlock has the fields and the meaning of IPBlock of networking.k8s.io/v1.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.except) || !isCIDR(self.cidr) || self.except.all(e, !isCIDR(e) || (cidr(self.cidr).containsCIDR(e) && cidr(self.cidr).prefixLength() < cidr(e).prefixLength()))`,message="every except is a part of cidr: write blocks that lie inside it and are smaller",fieldPath=`.except`,reason=FieldValueInvalid
type IPBlock struct {
	// cidr is the block, such as 192.0.2.0/24 or 2001:db8::/64.
	// +required
	CIDR CIDR `json:"cidr"`

	// except lists the blocks inside cidr that are not meant.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=12
	Except []CIDR `json:"except,omitempty"`
}

// CIDR is an address block such as 10.1.0.0/16 or fd00:1::/48, without bits beyond the prefix.
// ---
// The CIDR functions may be used by a CRD from Kubernetes 1.31 on. That version takes the cost of == on blocks and of +
// on computed strings for unlimited, so the rules say "in [...]" and format.
//
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule=`isCIDR(self)`,message="write an address block, such as 10.1.0.0/16 or fd00:1::/48; one address is a /32 (IPv4) or a /128 (IPv6) block"
// +kubebuilder:validation:XValidation:rule=`!isCIDR(self) || cidr(self) in [cidr(self).masked()]`,messageExpression=`'the address has bits set beyond the prefix: write %s for the block, or one address as a /32 (IPv4) or a /128 (IPv6) block'.format([string(cidr(self).masked())])`
type CIDR string
