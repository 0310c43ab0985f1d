// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// Kind is a kind of policies, as their generated objects show it. Kinds compare with ==.
type Kind struct {
	// APIVersion and Name are those of owner references. Of APIVersion only the group tells kinds apart.
	APIVersion, Name string
	// Suffix ends the names of the generated objects, but for the number: "-fqdn". No suffix may end another one, so that
	// no two kinds generate the same name.
	Suffix string
	// Label is the value of LabelKind. Empty: objects of this kind have no such label.
	Label string
}

// Identity says which policy an object belongs to.
type Identity struct {
	Kind Kind
	// Namespace is the namespace of the generated objects. A cluster-wide policy has an Identity for each namespace that it
	// writes to.
	Namespace string
	Name      string
	UID       types.UID
}

// Policy is a policy as Compile knows it, of whatever kind. See PolicyOf.
type Policy struct {
	Identity
	// PodSelector selects the pods in Namespace; empty: all of them.
	PodSelector metav1.LabelSelector
	// Rules has the rules of the spec in its order. Several may have the same ports.
	Rules []Rule
	// ClusterDNS tells whether the pods may also reach the cluster's DNS.
	ClusterDNS bool
	// Audit: nothing is written, and objects of ours are deleted.
	Audit bool
	// AllowedPrivate has the blocks of private space in which answers are believed.
	AllowedPrivate []netip.Prefix
}

// Rule is one egress rule of a policy.
type Rule struct {
	// Ports are the ports of all peers. None: all ports of all protocols.
	Ports []networkingv1.NetworkPolicyPort
	// Peers are the ordinary peers, in the form that an API server returns (no empty map or list in place of none). A peer
	// without any field would mean every destination, so there is none.
	Peers []networkingv1.NetworkPolicyPeer
	// Patterns are the names and wildcards. They may repeat.
	Patterns []fqdn.Pattern
}
