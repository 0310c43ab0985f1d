// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// scene is a namespace of one test's own.
type scene struct {
	*cluster

	t         *testing.T
	namespace string
	closed    bool // pods reach nothing that no policy allows
}

// newScene makes a namespace in which pods reach nothing until something allows it: the pairing that the docs advise.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := newOpenScene(t)
	s.denyAll()
	return s
}

// newOpenScene makes a namespace in which pods reach everything until a policy selects them.
func newOpenScene(t *testing.T) *scene {
	t.Helper()
	name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(t.Name(), "/", "-"), "Test"))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-" + name[:min(len(name), 40)] + "-"}}
	if err := shared.client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("namespace %s is left for a look", ns.Name)
			return
		}
		if err := shared.deleteNamespace(context.WithoutCancel(t.Context()), ns.Name); err != nil {
			t.Error(err)
		}
	})
	return &scene{cluster: shared, t: t, namespace: ns.Name}
}

func (s *scene) denyAll() {
	s.t.Helper()
	s.create(&networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "default-deny"},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Egress", "Ingress"}},
	})
	s.closed = true
}

// domain is a name below one that no other test uses.
func (s *scene) domain(label string) string {
	return label + "." + s.namespace + ".example.com"
}

func (s *scene) create(object client.Object) {
	s.t.Helper()
	object.SetNamespace(s.namespace)
	if err := s.client.Create(s.t.Context(), object); err != nil {
		s.t.Fatal(err)
	}
}

// pod starts one, with the label app=name, and waits until it is ready. Without a command it does nothing; with one it is
// `world web PORT...`, and ready when it listens. Many network plugins leave a new pod open until they have seen it, so in a
// closed scene it waits for that too: from then on what is blocked must stay so, and what is allowed is so by a policy.
func (s *scene) pod(name string, command ...string) pod {
	s.t.Helper()
	container := corev1.Container{Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: command}
	if len(command) == 0 {
		container.Command = []string{"sleep", "infinity"}
	} else {
		listens := &corev1.TCPSocketAction{Port: intstr.Parse(command[len(command)-1])}
		container.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: listens}}
	}
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(1)),
			Containers:                    []corev1.Container{container},
		},
	}
	s.create(object)
	s.eventually(func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		for _, c := range object.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("pod %s/%s is not ready", s.namespace, name)
	})
	p := pod{cluster: s.cluster, namespace: s.namespace, name: name}
	if s.closed {
		s.eventually(func(ctx context.Context) error { return p.blocked(ctx, url(nobodys, 80)) })
	}
	return p
}

// address of a pod of the scene, of the cluster's first family.
func (s *scene) address(p pod) string {
	s.t.Helper()
	object := &corev1.Pod{}
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: p.namespace, Name: p.name}, object); err != nil {
		s.t.Fatal(err)
	}
	return object.Status.PodIP
}

// eventually waits for what takes the cluster a moment.
func (s *scene) eventually(check func(context.Context) error) {
	s.t.Helper()
	if err := s.until(s.t.Context(), check); err != nil {
		s.t.Fatal(err)
	}
}

// rule allows the names on a TCP port.
func rule(port int32, names ...string) v1alpha1.EgressRule {
	r := v1alpha1.EgressRule{Ports: []v1alpha1.EgressPort{tcp(port)}}
	for _, name := range names {
		r.To = append(r.To, v1alpha1.EgressPeer{FQDN: v1alpha1.FQDN(name)})
	}
	return r
}

func tcp(port int32) v1alpha1.EgressPort {
	return v1alpha1.EgressPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(port))}
}

// policy is one for the pods app=<app>, with the rules.
func policy(name, app string, rules ...v1alpha1.EgressRule) *v1alpha1.FQDNEgressPolicy {
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.PodSelector.MatchLabels = map[string]v1alpha1.LabelValue{"app": v1alpha1.LabelValue(app)}
	p.Spec.Egress = rules
	return p
}

// appThatMayCall starts a pod and makes a policy, both named app, that lets it call a name on port 80, and waits until it
// reaches the first of the name's addresses.
func (s *scene) appThatMayCall(name string, addresses ...string) pod {
	s.t.Helper()
	s.setName(s.t, name, addresses...)
	app := s.pod("app")
	s.apply(policy("app", "app", rule(80, name)))
	s.eventuallyAllowed(app, url(addresses[0], 80))
	return app
}

// apply creates a policy and waits until the controller says that it is in force.
func (s *scene) apply(p *v1alpha1.FQDNEgressPolicy) {
	s.t.Helper()
	s.create(p)
	s.ready(p.Name)
}

// ready waits until a policy says that it is in force as it is now.
func (s *scene) ready(name string) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error {
		p := &v1alpha1.FQDNEgressPolicy{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, p); err != nil {
			return err
		}
		if p.Status.ObservedGeneration < p.Generation || !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("policy %s/%s is not ready: %+v", s.namespace, name, p.Status)
		}
		return nil
	})
}

// edit changes a policy.
func (s *scene) edit(name string, change func(*v1alpha1.FQDNEgressPolicySpec)) {
	s.t.Helper()
	p := &v1alpha1.FQDNEgressPolicy{}
	s.get(name, p)
	before := p.DeepCopy()
	change(&p.Spec)
	if err := s.client.Patch(s.t.Context(), p, client.MergeFrom(before)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) get(name string, object client.Object) {
	s.t.Helper()
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, object); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) remove(name string, object client.Object) {
	s.t.Helper()
	object.SetName(name)
	object.SetNamespace(s.namespace)
	if err := s.client.Delete(s.t.Context(), object); err != nil {
		s.t.Fatal(err)
	}
}

// status waits until the status of a policy's name is as wanted.
func (s *scene) status(name, fqdn, want string, is func(v1alpha1.FQDNStatus) bool) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error {
		p := &v1alpha1.FQDNEgressPolicy{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, p); err != nil {
			return err
		}
		for _, f := range p.Status.FQDNs {
			if f.FQDN == fqdn && is(f) {
				return nil
			}
		}
		return fmt.Errorf("want %s: %+v", want, p.Status.FQDNs)
	})
}

// editNetworkPolicy changes a NetworkPolicy by hand, whoever else writes it at the time.
func (s *scene) editNetworkPolicy(name string, change func(*networkingv1.NetworkPolicySpec)) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error {
		np := &networkingv1.NetworkPolicy{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, np); err != nil {
			return err
		}
		change(&np.Spec)
		return s.client.Update(ctx, np)
	})
}

// absent waits until an object is gone.
func (s *scene) absent(name string, object client.Object) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error {
		err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%T %s/%s is still there", object, s.namespace, name)
	})
}
