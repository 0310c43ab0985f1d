// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// cluster is the state as read: in order, and without what policies do not concern.
type cluster struct {
	pods       []pod
	namespaces map[string]labels.Set
	policies   []*networkingv1.NetworkPolicy
	block      verdict
}

type podKey struct{ namespace, name string }

// pod is a pod that has addresses of its own.
type pod struct {
	podKey
	labels labels.Set
	addrs  []netip.Addr
	ports  []corev1.ContainerPort
}

func read(s state) *cluster {
	c := &cluster{pods: podsOf(s.pods), namespaces: map[string]labels.Set{}, policies: slices.Clone(s.policies)}
	for _, ns := range s.namespaces {
		c.namespaces[ns.Name] = ns.Labels
	}
	slices.SortFunc(c.policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return c
}

// podsOf reads the pods that are alive on the pod network, by namespace and name. An address that two of them claim is
// the younger one's: the sandbox of a pod that is being deleted can be gone, and its address given away, before its
// object is.
func podsOf(all []*corev1.Pod) []pod {
	byAge := slices.SortedFunc(slices.Values(all), func(a, b *corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	taken := map[netip.Addr]bool{}
	var pods []pod
	for _, p := range byAge {
		if p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		read := pod{podKey: podKey{p.Namespace, p.Name}, labels: p.Labels, ports: portsOf(&p.Spec)}
		for _, ip := range p.Status.PodIPs {
			addr, err := netip.ParseAddr(ip.IP)
			if addr = addr.Unmap(); err != nil || taken[addr] {
				continue
			}
			taken[addr] = true
			read.addrs = append(read.addrs, addr)
		}
		if len(read.addrs) > 0 {
			pods = append(pods, read)
		}
	}
	slices.SortFunc(pods, func(a, b pod) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	return pods
}

// portsOf are the ports of the containers and, since sidecars are among them, of the init containers.
func portsOf(spec *corev1.PodSpec) (ports []corev1.ContainerPort) {
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			ports = append(ports, containers[i].Ports...)
		}
	}
	return ports
}

// selectPods gives the pods that a peer selects: those of the namespace own if it has no namespace selector, all of the
// namespaces if it has no pod selector.
func (c *cluster) selectPods(own string, namespaceSelector, podSelector *metav1.LabelSelector) ([]pod, error) {
	namespaces, err := selector(namespaceSelector)
	if err != nil {
		return nil, err
	}
	pods, err := selector(podSelector)
	if err != nil {
		return nil, err
	}
	var selected []pod
	for _, p := range c.pods {
		in := p.namespace == own
		if namespaceSelector != nil {
			in = namespaces.Matches(c.namespaces[p.namespace])
		}
		if in && pods.Matches(p.labels) {
			selected = append(selected, p)
		}
	}
	return selected, nil
}

// selector reads s, where none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}
