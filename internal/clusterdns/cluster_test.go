// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

var plane = apiserver.NewShared(apiserver.Options{
	CRDs:           []string{},
	APIServerFlags: map[string]string{"service-cluster-ip-range": "10.96.0.0/16,fd00:10:96::/112"},
})

func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }

// cluster is a namespace of its own on the API server. No controller runs: the tests write what controllers would.
type cluster struct {
	*testing.T
	server    *apiserver.Server
	client    kubernetes.Interface
	namespace string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	server := plane.Server(t)
	c := &cluster{T: t, server: server, client: kubernetes.NewForConfigOrDie(server.Config)}
	namespace, err := c.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "dns-"}}, metav1.CreateOptions{})
	c.must(err)
	c.namespace = namespace.Name
	return c
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) kubeDNS() types.NamespacedName {
	return types.NamespacedName{Namespace: c.namespace, Name: "kube-dns"}
}

func (c *cluster) createService(changes ...func(*corev1.Service)) {
	c.Helper()
	s := service()
	s.Namespace, s.Spec.ClusterIP, s.Spec.ClusterIPs = c.namespace, "", nil // allocated by the API server
	for _, change := range changes {
		change(s)
	}
	_, err := c.client.CoreV1().Services(c.namespace).Create(c.Context(), s, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) updateService(change func(*corev1.Service)) {
	c.Helper()
	services := c.client.CoreV1().Services(c.namespace)
	s, err := services.Get(c.Context(), "kube-dns", metav1.GetOptions{})
	c.must(err)
	change(s)
	_, err = services.Update(c.Context(), s, metav1.UpdateOptions{})
	c.must(err)
}

func (c *cluster) deleteService(name string) {
	c.Helper()
	c.must(c.client.CoreV1().Services(c.namespace).Delete(c.Context(), name, metav1.DeleteOptions{}))
}

func (c *cluster) createSlice(name string, s *discoveryv1.EndpointSlice) {
	c.Helper()
	s.Name = name
	_, err := c.client.DiscoveryV1().EndpointSlices(c.namespace).Create(c.Context(), s, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) updateSlice(name string, changes ...sliceChange) {
	c.Helper()
	endpointSlices := c.client.DiscoveryV1().EndpointSlices(c.namespace)
	s, err := endpointSlices.Get(c.Context(), name, metav1.GetOptions{})
	c.must(err)
	for _, change := range changes {
		change(s)
	}
	_, err = endpointSlices.Update(c.Context(), s, metav1.UpdateOptions{})
	c.must(err)
}

func (c *cluster) deleteSlice(name string) {
	c.Helper()
	c.must(c.client.DiscoveryV1().EndpointSlices(c.namespace).Delete(c.Context(), name, metav1.DeleteOptions{}))
}

// userWith returns a user who may do in the namespace what rules say, once the API server grants it.
func (c *cluster) userWith(name string, rules ...rbacv1.PolicyRule) *rest.Config {
	c.Helper()
	meta := metav1.ObjectMeta{Name: name}
	rbac := c.client.RbacV1()
	_, err := rbac.Roles(c.namespace).Create(c.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	c.must(err)
	_, err = rbac.RoleBindings(c.namespace).Create(c.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}, metav1.CreateOptions{})
	c.must(err)
	c.waitUntilGranted(name, rules[len(rules)-1])
	access, err := c.server.User(name)
	c.must(err)
	return access.Config
}

// waitUntilGranted polls, as the authorizer follows Roles by a watch that nobody outside can see.
func (c *cluster) waitUntilGranted(user string, rule rbacv1.PolicyRule) {
	c.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: c.namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: rule.Resources[0],
		},
	}}
	c.must(wait.PollUntilContextTimeout(c.Context(), 10*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		got, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && got.Status.Allowed, err
	}))
}

// following is a started Follower and the signals of its OnChange.
type following struct {
	*testing.T
	*Follower
	clock   *clocktesting.FakeClock
	changes chan struct{}
	ended   chan error // what Start returned
	cancel  func()
}

func (c *cluster) follow(cfg *rest.Config, options ...Options) *following {
	c.Helper()
	f := start(c.T, cfg, c.kubeDNS(), options...)
	if !f.WaitForSync(c.Context()) {
		c.Fatal("not synced")
	}
	return f
}

func start(t *testing.T, cfg *rest.Config, service types.NamespacedName, options ...Options) *following {
	t.Helper()
	o := Options{}
	if len(options) > 0 {
		o = options[0]
	}
	clk := clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	o.Clock = clk
	follower, err := New(cfg, service, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	f := &following{
		T: t, Follower: follower, clock: clk,
		changes: make(chan struct{}, 100), ended: make(chan error, 1), cancel: cancel,
	}
	f.OnChange(func() { f.changes <- struct{}{} })
	go func() { f.ended <- f.Start(ctx) }()
	return f
}

// stop ends the context and returns what Start returned.
func (f *following) stop() error {
	f.cancel()
	return <-f.ended
}

// wantUpstreams waits until they are asked.
func (f *following) wantUpstreams(want ...string) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	for {
		got, changed := f.Upstreams()
		if slices.Equal(got, addrPorts(want...)) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			f.Fatalf("upstreams (-want +got):\n%s", cmp.Diff(addrPorts(want...), got, byValue))
		}
	}
}

// wantFacts waits for a call of OnChange after which the facts are as wanted.
func (f *following) wantFacts(what string, wanted func(Facts) bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	for {
		select {
		case <-f.changes:
			if wanted(f.Facts()) {
				return
			}
		case <-ctx.Done():
			f.Fatalf("want %s, got %+v", what, f.Facts())
		}
	}
}

// pass lets so much time pass once the Follower waits for it.
func (f *following) pass(d time.Duration) {
	f.Helper()
	f.must(wait.PollUntilContextTimeout(f.Context(), time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return f.clock.HasWaiters(), nil
	}))
	f.clock.Step(d)
}

func (f *following) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}
