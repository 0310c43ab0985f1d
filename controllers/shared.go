// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"slices"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// shared makes cached objects small: what many of them hold alike they hold together, and slices have no room to grow. Nobody
// changes an object of the cache, so nobody notices. The zero value is ready; it is safe for concurrent use, for each kind of
// object has a goroutine of its own.
//
//	10,000 policies with their NetworkPolicies           in memory
//	the rule for the cluster's DNS, its four maps        once
//	TCP 443 in 3,000 of them                             once
//	"Resolved", "Every name has addresses"               once
//	a label's key                                        once; the map itself is of one object
//	names, addresses, UIDs                               of each: looking for equal ones would find none
type shared struct {
	mu      sync.Mutex
	strings table[string]
	rules   table[networkingv1.NetworkPolicyEgressRule]
	ports   table[[]v1alpha1.EgressPort]
}

// table has the first of equal values, by a text that tells different ones apart. A full one begins anew: what is common comes
// again with the next objects, which then share another copy.
type table[T any] map[string]T

const (
	// maxShared bounds a table: 1,000 rules of 2 kB, with keys of 512 bytes, are 2.5 MB.
	maxShared = 1_000
	// maxKey is how long the key of a value that is shared may be. That of a rule for the cluster's DNS has 150 bytes.
	maxKey = 512
)

// one returns the first value that came under the key. Values with a long key are not shared: who may write NetworkPolicies could fill
// the table with the ports of one object that changes.
func (t *table[T]) one(key string, value T) T {
	if len(key) > maxKey {
		return value
	}
	if first, ok := (*t)[key]; ok {
		return first
	}
	if *t == nil || len(*t) >= maxShared {
		*t = table[T]{}
	}
	(*t)[key] = value
	return value
}

// policy makes an FQDNEgressPolicy small.
func (s *shared) policy(p *v1alpha1.FQDNEgressPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta(&p.ObjectMeta)
	p.Spec.Egress = fitted(p.Spec.Egress)
	var names []string // as the spec has them; the status lists them in the same order
	for i := range p.Spec.Egress {
		r := &p.Spec.Egress[i]
		r.To, r.Ports = fitted(r.To), s.egressPorts(r.Ports)
		for j := range r.To {
			if r.To[j].FQDN != "" {
				names = append(names, string(r.To[j].FQDN))
			}
		}
	}
	s.status(&p.Status, names)
}

func (s *shared) status(status *v1alpha1.FQDNEgressPolicyStatus, names []string) {
	status.Conditions, status.NetworkPolicies = fitted(status.Conditions), fitted(status.NetworkPolicies)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		c.Type, c.Reason, c.Message = s.text(c.Type), s.text(c.Reason), s.text(c.Message)
		c.Status = metav1.ConditionStatus(s.text(string(c.Status)))
	}
	status.FQDNs = fitted(status.FQDNs)
	for i := range status.FQDNs {
		n := &status.FQDNs[i]
		if i < len(names) && names[i] == n.FQDN {
			n.FQDN = names[i]
		}
		n.State, n.Message = v1alpha1.FQDNState(s.text(string(n.State))), s.text(n.Message)
		n.Addresses, n.Refused = fitted(n.Addresses), fitted(n.Refused)
		for j := range n.Refused {
			n.Refused[j].Reason = s.text(n.Refused[j].Reason)
		}
	}
}

// networkPolicy makes a NetworkPolicy small.
func (s *shared) networkPolicy(np *networkingv1.NetworkPolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta(&np.ObjectMeta)
	np.Spec.Egress = fitted(np.Spec.Egress)
	for i := range np.Spec.Egress {
		s.rule(&np.Spec.Egress[i])
	}
	for i, t := range np.Spec.PolicyTypes {
		np.Spec.PolicyTypes[i] = networkingv1.PolicyType(s.text(string(t)))
	}
}

// rule shares a rule that selects pods, as a whole: most of them are the one for the cluster's DNS. Of others, which list
// addresses, it shares the ports, and puts the blocks into one piece of memory.
func (s *shared) rule(r *networkingv1.NetworkPolicyEgressRule) {
	selects := func(p networkingv1.NetworkPolicyPeer) bool { return p.PodSelector != nil || p.NamespaceSelector != nil }
	if r.To = fitted(r.To); slices.ContainsFunc(r.To, selects) && r.Size() <= maxKey {
		*r = s.oneRule(*r)
		return
	}
	r.Ports = s.oneRule(networkingv1.NetworkPolicyEgressRule{Ports: r.Ports}).Ports
	blocks := make([]networkingv1.IPBlock, 0, len(r.To)) // never grows: peers point into it
	for i := range r.To {
		if b := r.To[i].IPBlock; b != nil {
			blocks = append(blocks, *b)
			r.To[i].IPBlock = &blocks[len(blocks)-1]
		}
	}
}

func (s *shared) oneRule(r networkingv1.NetworkPolicyEgressRule) networkingv1.NetworkPolicyEgressRule {
	key, err := r.Marshal() // which sorts the labels
	if err != nil {
		return r // these types marshal always
	}
	return s.rules.one(string(key), r)
}

func (s *shared) egressPorts(ports []v1alpha1.EgressPort) []v1alpha1.EgressPort {
	if len(ports) == 0 {
		return ports
	}
	key, err := json.Marshal(ports)
	if err != nil {
		return ports // these types marshal always
	}
	return s.ports.one(string(key), ports)
}

func (s *shared) meta(m *metav1.ObjectMeta) {
	m.Namespace = s.text(m.Namespace)
	m.Labels, m.Annotations = s.keys(m.Labels), s.keys(m.Annotations)
	for i := range m.OwnerReferences {
		ref := &m.OwnerReferences[i]
		ref.APIVersion, ref.Kind = s.text(ref.APIVersion), s.text(ref.Kind)
	}
}

// keys shares the keys of labels or annotations, and the value of the label that all NetworkPolicies of ours have.
func (s *shared) keys(m map[string]string) map[string]string {
	if len(m) == 0 {
		return m
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if k == netpol.LabelManagedBy {
			v = s.text(v)
		}
		out[s.text(k)] = v
	}
	return out
}

// text returns the first of equal strings.
func (s *shared) text(text string) string {
	if text == "" {
		return ""
	}
	return s.strings.one(text, text)
}

// fitted returns a copy of a list without room to grow. A decoder doubles the room each time a list does not fit: 5 names have
// that of 8.
func fitted[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)), list...)
}
