// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

var plane = apiserver.NewShared(apiserver.Options{ControllerManager: true})

func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }

func newClient(t *testing.T, who apiserver.Access) client.Client {
	t.Helper()
	c, err := client.New(who.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// create makes the object and removes it after the test.
func create(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(c.Delete(context.Background(), o)); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
}

func configMap(name string, owners ...metav1.OwnerReference) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, OwnerReferences: owners}}
}

func TestCRDIsServed(t *testing.T) {
	s := plane.Server(t)
	out, err := s.Kubectl(t.Context(), "get", "fep", "--all-namespaces", "-o", "name")
	if err != nil || len(out) != 0 {
		t.Errorf("kubectl get fep: %q, %v; want an empty list", out, err)
	}
	if _, err := s.Kubectl(t.Context(), "get", "no-such-kind"); err == nil || !strings.Contains(err.Error(), "no-such-kind") {
		t.Errorf("kubectl get no-such-kind: %v; want an error that names it", err)
	}
}

func TestGarbageCollectorDeletesWhatTheOwnerLeaves(t *testing.T) {
	c := newClient(t, plane.Server(t).Access)
	owner := configMap("owner")
	create(t, c, owner)
	owned := configMap("owned", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID})
	create(t, c, owned)
	free := configMap("free")
	create(t, c, free)

	if err := c.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	gone := func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(owned), &corev1.ConfigMap{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, gone); err != nil {
		t.Errorf("the owned object is still there: %v", err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(free), &corev1.ConfigMap{}); err != nil {
		t.Errorf("the object without an owner: %v; want it kept", err)
	}
}

func TestServiceAccountMayDoWhatRBACGrants(t *testing.T) {
	s := plane.Server(t)
	admin := newClient(t, s.Access)
	create(t, admin, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}},
	})
	create(t, admin, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "somewhere", Name: "reader"}},
	})
	who, err := s.ServiceAccount("somewhere", "reader")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, who)
	granted := func(ctx context.Context) (bool, error) { // the authorizer sees a new binding a moment later
		err := c.List(ctx, &corev1.ConfigMapList{}, client.InNamespace("default"))
		return err == nil, ignoreForbidden(err)
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 10*time.Second, true, granted); err != nil {
		t.Errorf("reading in the namespace of the binding: %v", err)
	}
	if err := c.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace("kube-system")); !apierrors.IsForbidden(err) {
		t.Errorf("reading elsewhere: %v; want Forbidden", err)
	}
	if err := c.Create(t.Context(), configMap("forbidden")); !apierrors.IsForbidden(err) {
		t.Errorf("writing: %v; want Forbidden", err)
	}
	if _, err := s.KubectlAs(t.Context(), who, "get", "configmaps", "--namespace", "default"); err != nil {
		t.Errorf("the kubeconfig: %v", err)
	}
}

func ignoreForbidden(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

func TestAPoolHandsEachPlaneToOneTestAtATime(t *testing.T) {
	pool := apiserver.NewPool(1, apiserver.Options{CRDs: []string{}})
	var first *apiserver.Server
	t.Run("starts one", func(t *testing.T) { first = pool.Take(t) })
	t.Run("takes it again", func(t *testing.T) {
		if got := pool.Take(t); got != first {
			t.Error("another one was started beside one that is free")
		}
	})
	if err := first.Stop(); err != nil {
		t.Error(err)
	}
}
