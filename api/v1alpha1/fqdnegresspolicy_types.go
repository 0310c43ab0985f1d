// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kind is the kind of the namespaced policy, as it stands in owner references.
const Kind = "FQDNEgressPolicy"

// FQDNEgressPolicy lets the pods that it selects reach the hosts that it names. The controller resolves the names and
// keeps NetworkPolicies of the same namespace true to them. Pods that a policy selects may reach nothing else, unless
// another policy allows it, as with NetworkPolicy.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=fep
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the NetworkPolicies are true to the spec and to what DNS says now"
// +kubebuilder:printcolumn:name="FQDNs",type=integer,JSONPath=`.status.fqdnCount`,description="Distinct names and patterns of the spec"
// +kubebuilder:printcolumn:name="Unresolved",type=integer,JSONPath=`.status.unresolvedCount`,description="How many of them do not resolve to an address that may be allowed"
// +kubebuilder:printcolumn:name="Addresses",type=integer,JSONPath=`.status.addressCount`,description="Distinct addresses that the NetworkPolicies in the API allow for the names"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What to know or to do"
// +kubebuilder:validation:XValidation:rule=`self.metadata.name.size() <= 63`,message="the name of a policy is also the value of a label: write at most 63 characters"
type FQDNEgressPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata. The name has at most 63 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which pods may reach which hosts.
	// +required
	Spec FQDNEgressPolicySpec `json:"spec"`

	// status is what the controller found and wrote. Nobody else writes it.
	// ---
	// A tool that waits for Ready takes an object without conditions for ready (kstatus), so the API server shows one at once.
	//
	// +optional
	// +kubebuilder:default={conditions: {{type: "Ready", status: "Unknown", reason: "Pending", message: "The controller has not looked at this policy yet", lastTransitionTime: "1970-01-01T00:00:00Z"}}}
	Status FQDNEgressPolicyStatus `json:"status,omitempty,omitzero"`
}

// FQDNEgressPolicyList is a list of FQDNEgressPolicy.
//
// +kubebuilder:object:root=true
type FQDNEgressPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the policies.
	// +required
	Items []FQDNEgressPolicy `json:"items"`
}

// FQDNEgressPolicySpec says which pods may reach which hosts.
//
// +kubebuilder:validation:XValidation:rule=`!has(self.egress) || self.egress.map(r, r.to.filter(p, has(p.fqdn)).size()).sum() <= 500`,message="a policy holds at most 500 names: split it into several policies with the same podSelector, their rules add up",fieldPath=`.egress`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.allowedPrivateCIDRs) || self.allowedPrivateCIDRs.size() <= 32`,messageExpression=`'a policy holds at most 32 allowedPrivateCIDRs, and this one has %d: write fewer, wider blocks'.format([self.allowedPrivateCIDRs.size()])`,fieldPath=`.allowedPrivateCIDRs`,reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule=`!has(self.upstreams) || self.upstreams.size() <= 4`,messageExpression=`'a policy names at most 4 upstreams, and this one has %d: every one of them is asked for every name, so name the ones that the pods ask'.format([self.upstreams.size()])`,fieldPath=`.upstreams`,reason=FieldValueInvalid
type FQDNEgressPolicySpec struct {
	// podSelector selects the pods of this namespace that the policy is for; {} selects all of them. As with
	// NetworkPolicy, the selected pods may reach only what some policy allows.
	// +required
	PodSelector LabelSelector `json:"podSelector"`

	// egress lists what the selected pods may reach; what any rule allows is allowed. Without a rule they reach nothing
	// but the cluster's DNS. Rules with equal ports are one rule in the NetworkPolicy.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Egress []EgressRule `json:"egress,omitempty"`

	// clusterDNS says whether the pods may also reach the cluster's DNS. Allow (the default) adds a rule for the DNS
	// Service and its pods, at their ports; Omit leaves it out, for pods that need no DNS or have a policy for it.
	// +optional
	// +kubebuilder:default=Allow
	ClusterDNS ClusterDNS `json:"clusterDNS,omitempty"`

	// allowedPrivateCIDRs lists the private blocks that the addresses of names may be in, such as 10.20.0.0/16 for names
	// of a peered network. An answer in private space (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10,
	// fc00::/7) outside of them is refused, so that whoever owns a name cannot open the internal network. It opens
	// nothing by itself.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:XValidation:rule=`!isCIDR(self) || cidr('10.0.0.0/8').containsCIDR(self) || cidr('172.16.0.0/12').containsCIDR(self) || cidr('192.168.0.0/16').containsCIDR(self) || cidr('100.64.0.0/10').containsCIDR(self) || cidr('fc00::/7').containsCIDR(self)`,message="write a block inside private space (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7); addresses outside of it need no entry"
	AllowedPrivateCIDRs []CIDR `json:"allowedPrivateCIDRs,omitempty"`

	// upstreams are the DNS servers that are asked for the names of this policy, in place of the controller's: for pods that
	// ask servers of their own (dnsConfig) and names that these answer otherwise. Each is asked on its own, and what they say
	// adds up. They open nothing: a rule for the way to such a server is written as an ordinary peer.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Upstreams []Upstream `json:"upstreams,omitempty"`

	// retentionSeconds is how long an address stays allowed after the last answer that held it expired: as long as pods
	// may go on using an answer that they were told earlier. Unset: the controller's default (--retention), and more for a
	// name that rotates through addresses which come back later (up to --max-retention).
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	RetentionSeconds *int32 `json:"retentionSeconds,omitempty"`

	// mode Enforce (the default) writes NetworkPolicies. Audit resolves and reports, and writes none; switching to it
	// deletes those that were written.
	// +optional
	// +kubebuilder:default=Enforce
	Mode Mode `json:"mode,omitempty"`
}

// ClusterDNS says whether the DNS rule is part of the generated NetworkPolicy.
// +kubebuilder:validation:Enum=Allow;Omit
type ClusterDNS string

// The values of ClusterDNS.
const (
	// ClusterDNSAllow adds the rule that lets the pods reach the cluster's DNS.
	ClusterDNSAllow ClusterDNS = "Allow"
	// ClusterDNSOmit leaves that rule out.
	ClusterDNSOmit ClusterDNS = "Omit"
)

// Upstream is a DNS server: an IP address and a port (53 by default, 853 for TLS), asked over UDP, and over TCP for what
// does not fit, such as 10.0.0.53:53 or [fd00::53]:53; over TCP alone, such as tcp://10.0.0.53; or over TLS, such as
// tls://10.0.0.53#dns.example.com with the name that its certificate has to be for (without one: the address).
// ---
// The controller parses what this accepts and says in the status what is wrong with it beyond the form.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=320
// +kubebuilder:validation:XValidation:rule=`self.matches(r'^((udp://|tcp://)?([0-9.]+|[[][0-9A-Fa-f:.]+[]]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(:[0-9]{1,5})?|tls://([0-9.]+|[[][0-9A-Fa-f:.]+[]]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(:[0-9]{1,5})?(#([0-9A-Za-z_-]{1,63}[.])+[0-9A-Za-z_-]{1,63}[.]?)?)$')`,message="write the IP address of a DNS server and a port, such as 10.0.0.53:53, [fd00::53]:53, tcp://10.0.0.53 or tls://10.0.0.53#dns.example.com; a host name could not be resolved"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'^([a-z]+://)?[0-9]+[.]') || self.matches(r'^([a-z]+://)?((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])([^0-9.]|$)')`,message="write an IPv4 address as four numbers from 0 to 255, such as 10.0.0.53"
// +kubebuilder:validation:XValidation:rule=`!self.matches(r'([.][0-9]+|[]]):0+(#|$)|:(6553[6-9]|655[4-9][0-9]|65[6-9][0-9]{2}|6[6-9][0-9]{3}|[7-9][0-9]{4})(#|$)')`,message="write a port from 1 to 65535, such as 10.0.0.53:53"
type Upstream string

// Mode says whether the policy is enforced.
// +kubebuilder:validation:Enum=Enforce;Audit
type Mode string

// The values of Mode.
const (
	// ModeEnforce writes NetworkPolicies.
	ModeEnforce Mode = "Enforce"
	// ModeAudit writes none, and deletes those that were written.
	ModeAudit Mode = "Audit"
)
