// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package netpol turns a policy and the addresses of its names into NetworkPolicies. It is pure: no I/O, no clock.
package netpol

import (
	"net/netip"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Address is one address of a name. See addressbook.Address: the fields mean the same.
type Address struct {
	Addr    netip.Addr
	Current bool
	Until   time.Time
}

// Name is what is known of one name or pattern of the policy.
type Name struct {
	Addresses []Address
	Answered  time.Time     // when it had a good answer in each family; zero: not yet
	Retention time.Duration // how long its addresses are kept
}

// DNSPort is a port of the cluster DNS.
type DNSPort struct {
	Protocol string // "UDP" or "TCP"
	Port     int32
}

// DNS is what the DNS rule is made of. The zero value gives the convention: pods k8s-app=kube-dns of kube-system, port 53.
type DNS struct {
	Namespace    string
	Selector     map[string]string
	ClusterIPs   []netip.Addr
	ServicePorts []DNSPort    // the ports of ClusterIPs and Extra
	TargetPorts  []DNSPort    // the ports of the pods
	Extra        []netip.Addr // --cluster-dns, such as 169.254.20.10
}

// Guard says which addresses of answers may become peers.
type Guard struct {
	Cluster        []netip.Prefix // the Service range and --cluster-cidrs: never
	AllowedPrivate []netip.Prefix // the policy's allowedPrivateCIDRs
}

// Judge returns the address to write for an address of an answer (an IPv4-mapped one unwrapped), or why it is refused.
func (g Guard) Judge(a netip.Addr) (peer netip.Addr, refused string) {
	panic("contract: to be written")
}

// RuleKey is the canonical form of the ports of a rule: rules with equal ports have equal keys, whatever the order,
// repeats and defaults. All ports is the empty key.
type RuleKey string

// Carried is what a policy's NetworkPolicies carried when this process saw them first (DESIGN.md, invariant 4).
type Carried struct {
	Since time.Time
	Rules map[RuleKey][]netip.Addr
}

// CarriedFrom reads what each rule of the live objects carries: only /32 and /128 blocks, and never the DNS rule's.
func CarriedFrom(live []networkingv1.NetworkPolicy, dns DNS, now time.Time) Carried {
	panic("contract: to be written")
}

// Ownership says whose a NetworkPolicy is, seen from one policy.
type Ownership int

// The values of Ownership.
const (
	Foreign   Ownership = iota
	Ours                // our controller owner reference, right UID
	Adoptable           // ours by name and kind with an old UID, or our labels and no controller owner
)

// OwnershipOf says whose np is.
func OwnershipOf(np *networkingv1.NetworkPolicy, p *v1alpha1.FQDNEgressPolicy) Ownership {
	panic("contract: to be written")
}

// PolicyOf returns the name of the policy of the same namespace that np concerns: by controller owner, by label, or by
// the form of its name. For the mapping of watch events; it claims nothing about ownership.
func PolicyOf(np *networkingv1.NetworkPolicy) (policy string, ok bool) {
	panic("contract: to be written")
}

// ObjectName is the name of the i-th generated NetworkPolicy of a policy: web-fqdn, web-fqdn-1, ...
func ObjectName(policy string, i int) string { panic("contract: to be written") }

// Input is all that Compile looks at.
type Input struct {
	Policy     *v1alpha1.FQDNEgressPolicy
	Names      map[fqdn.Pattern]Name
	Carried    Carried
	MaxStale   time.Duration                // bounds Carried
	Live       []networkingv1.NetworkPolicy // those Ours or Adoptable, and any Foreign one of a name that we need
	DNS        DNS
	Guard      Guard // AllowedPrivate is taken from the policy by Compile
	MaxPeers   int   // peers per object; 0: 5000
	MaxObjects int   // objects per policy; 0: 20
}

// Verb is what a Step does.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
)

// Step is one write. Object is complete: for an update it is the live object (its resourceVersion, foreign labels and
// annotations) with our spec, labels and owner reference.
type Step struct {
	Verb   Verb
	Object *networkingv1.NetworkPolicy
}

// Refusal is an address that the guard kept out.
type Refusal struct {
	Addr   netip.Addr
	Reason string
}

// Plan is what Compile decides.
type Plan struct {
	// Steps in order: additions first, across objects too. Empty: the live objects are as they should be.
	Steps []Step
	// Objects are the names of the NetworkPolicies after the steps, in order.
	Objects []string
	// Allowed is what is written for each pattern after the steps, sorted; Carried what is written only because it was
	// carried, sorted, over all rules.
	Allowed map[fqdn.Pattern][]netip.Addr
	Carried []netip.Addr
	// AddressCount is the number of distinct addresses over all rules after the steps, without the DNS rule and the
	// ipBlocks of the spec.
	AddressCount int
	// Refused is what the guard kept out, for each pattern, sorted by address.
	Refused map[fqdn.Pattern][]Refusal
	// LeftOut is how many peers did not fit into MaxObjects.
	LeftOut int
	// Conflicts are the names that we need and a Foreign object has. No step touches them.
	Conflicts []string
	// Next is the earliest instant at which the plan would differ although the input stayed; zero: never.
	Next time.Time
}

// Compile decides what to write. In mode Audit it deletes what is ours, and still says what would be allowed.
func Compile(in Input, now time.Time) Plan { panic("contract: to be written") }
