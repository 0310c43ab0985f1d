// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// world is what one test has for itself.
type world struct {
	t         *testing.T
	server    *apiserver.Server
	client    client.WithWatch
	namespace string
	dns       *dnstest.Server

	patience, statusPatience time.Duration // for rules, and for what a status says
}

// newWorld makes a namespace and a DNS server, and lets other tests run beside this one. When the test ends, its policies and
// what they left behind go, so that the next test's controller does not meet them.
func newWorld(t *testing.T, options ...dnstest.Option) *world {
	t.Helper()
	t.Parallel()
	return newWorldAlone(t, options...)
}

// newWorldAlone is newWorld for a test that measures times: no other runs beside it.
func newWorldAlone(t *testing.T, options ...dnstest.Option) *world {
	t.Helper()
	w := &world{t: t, server: planes.Take(t), dns: dnstest.Start(t, options...), patience: patience, statusPatience: longPatience}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.NewWithWatch(w.server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w.client = c
	w.namespace = w.newNamespace(t.Name())
	return w
}

func (w *world) newNamespace(hint string) string {
	w.t.Helper()
	hint = strings.ToLower(strings.Map(func(r rune) rune {
		if r == '/' || r == '_' || r == ' ' {
			return '-'
		}
		return r
	}, hint))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: hint[:min(len(hint), 50)] + "-"}}
	if err := w.client.Create(w.t.Context(), ns); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.clear(ns.Name) })
	return ns.Name
}

// clear empties a namespace. It is called after the test's context ended.
func (w *world) clear(namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), longPatience)
	defer cancel()
	for _, kind := range []client.Object{&v1alpha1.FQDNEgressPolicy{}, &networkingv1.NetworkPolicy{}} {
		if err := w.client.DeleteAllOf(ctx, kind, client.InNamespace(namespace)); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		w.t.Error(err)
	}
}

// start runs a controller that asks the world's DNS server, and waits until it is ready.
func (w *world) start(flags ...string) *process {
	w.t.Helper()
	return start(w.t, w.server.Kubeconfig, append([]string{"--upstreams", w.dns.Addr().String()}, flags...)...).ready()
}

// within returns the same world with another patience, for a promise that says how long something may take.
func (w *world) within(d time.Duration) *world {
	hurried := *w
	hurried.patience, hurried.statusPatience = d, d
	return &hurried
}

// eventually waits until check returns nil, and fails with its last error.
func (w *world) eventually(check func() error) {
	w.t.Helper()
	eventuallyWithin(w.t, w.patience, check)
}

// eventuallySaid does so for what a status or an event says.
func (w *world) eventuallySaid(check func() error) {
	w.t.Helper()
	eventuallyWithin(w.t, w.statusPatience, check)
}

// rule allows the names on one TCP port; port 0 means all ports.
func rule(port int32, names ...string) v1alpha1.EgressRule {
	var r v1alpha1.EgressRule
	for _, name := range names {
		r.To = append(r.To, v1alpha1.EgressPeer{FQDN: v1alpha1.FQDN(name)})
	}
	if port != 0 {
		r.Ports = []v1alpha1.EgressPort{tcp(port)}
	}
	return r
}

// create makes a policy for all pods of the world's namespace.
func (w *world) create(name string, edit func(*v1alpha1.FQDNEgressPolicySpec), rules ...v1alpha1.EgressRule) *v1alpha1.FQDNEgressPolicy {
	w.t.Helper()
	p := &v1alpha1.FQDNEgressPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	p.Spec.Egress = rules
	if edit != nil {
		edit(&p.Spec)
	}
	if err := w.client.Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// edit changes the spec of a policy.
func (w *world) edit(name string, change func(*v1alpha1.FQDNEgressPolicySpec)) {
	w.t.Helper()
	p := w.policy(name)
	before := p.DeepCopy()
	change(&p.Spec)
	if err := w.client.Patch(w.t.Context(), p, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) policy(name string) *v1alpha1.FQDNEgressPolicy {
	w.t.Helper()
	p := &v1alpha1.FQDNEgressPolicy{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// networkPolicy returns the live object, nil if there is none.
func (w *world) networkPolicy(name string) *networkingv1.NetworkPolicy {
	w.t.Helper()
	np := &networkingv1.NetworkPolicy{}
	err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, np)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return np
}

// allowed returns the addresses that all NetworkPolicies of the namespace allow on a TCP port, sorted: what a CNI
// would let through, by single addresses.
func (w *world) allowed(port int32) []string {
	w.t.Helper()
	list := &networkingv1.NetworkPolicyList{}
	if err := w.client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	return allowedBy(list.Items, port)
}

func allowedBy(nps []networkingv1.NetworkPolicy, port int32) []string {
	var addrs []netip.Addr
	for _, np := range nps {
		for _, r := range np.Spec.Egress {
			if !opens(r.Ports, port) {
				continue
			}
			for _, peer := range r.To {
				if peer.IPBlock == nil {
					continue
				}
				if p, err := netip.ParsePrefix(peer.IPBlock.CIDR); err == nil && p.IsSingleIP() {
					addrs = append(addrs, p.Addr())
				}
			}
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	var out []string
	for _, a := range slices.Compact(addrs) {
		out = append(out, a.String())
	}
	return out
}

func opens(ports []networkingv1.NetworkPolicyPort, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			return false
		}
		return p.Port == nil || p.Port.IntVal == port || (p.EndPort != nil && p.Port.IntVal <= port && port <= *p.EndPort)
	})
}

// wantAllowed waits until exactly these addresses are allowed on a TCP port.
func (w *world) wantAllowed(port int32, want ...string) {
	w.t.Helper()
	w.eventually(func() error {
		if got := w.allowed(port); !slices.Equal(got, want) {
			return fmt.Errorf("allowed on port %d: %v, want %v", port, got, want)
		}
		return nil
	})
}

// wantCondition waits until a condition of the policy has this status and reason, and returns its message.
func (w *world) wantCondition(policy, condition string, status metav1.ConditionStatus, reason string) string {
	w.t.Helper()
	var message string
	w.eventuallySaid(func() error {
		p := w.policy(policy)
		c := meta.FindStatusCondition(p.Status.Conditions, condition)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != p.Generation {
			return fmt.Errorf("condition %s of %s: %+v, want %s/%s", condition, policy, c, status, reason)
		}
		message = c.Message
		return nil
	})
	return message
}

// wantState waits until a name of the policy is in this state, and returns what the status says of it.
func (w *world) wantState(policy, name string, state v1alpha1.FQDNState) v1alpha1.FQDNStatus {
	w.t.Helper()
	var status v1alpha1.FQDNStatus
	w.eventuallySaid(func() error {
		for _, s := range w.policy(policy).Status.FQDNs {
			if s.FQDN == name {
				status = s
				if s.State == state {
					return nil
				}
			}
		}
		return fmt.Errorf("%s: %+v, want %s", name, status, state)
	})
	return status
}

// wantPool waits until the status tells so much of the pool that a name rotates through.
func (w *world) wantPool(policy, name string, want v1alpha1.PoolStatus) {
	w.t.Helper()
	w.eventuallySaid(func() error {
		for _, s := range w.policy(policy).Status.FQDNs {
			if s.FQDN == name && s.Pool != nil && *s.Pool == want {
				return nil
			}
		}
		return fmt.Errorf("status of %s: %+v, want a pool %+v", name, w.policy(policy).Status.FQDNs, want)
	})
}

// waitForQueries waits until the world's DNS server was asked n times more for a name.
func (w *world) waitForQueries(n int, name string, types ...uint16) {
	w.t.Helper()
	w.waitForQueriesTo(w.dns, n, name, types...)
}

func (w *world) waitForQueriesTo(server *dnstest.Server, n int, name string, types ...uint16) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), longPatience)
	defer cancel()
	if err := server.WaitFor(ctx, server.Count(name, types...)+n, name, types...); err != nil {
		w.t.Fatal(err)
	}
}

const shortTTL = dnstest.TTL(time.Second)

func tcp(port int32) v1alpha1.EgressPort {
	number := intstr.FromInt32(port)
	return v1alpha1.EgressPort{Port: &number}
}

func inNamespace(namespace string) client.InNamespace { return client.InNamespace(namespace) }

// apply gives YAML to the API server as kubectl apply does.
func (w *world) apply(manifests []byte) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "manifests.yaml")
	if err := os.WriteFile(file, manifests, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if out, err := w.server.Kubectl(w.t.Context(), "apply", "-f", file); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
}
