// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

var (
	readServices = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}}
	readSlices   = rbacv1.PolicyRule{
		APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"},
	}
)

func TestFollower_NeedsOnlyARoleInTheNamespace(t *testing.T) {
	c := newCluster(t)
	c.createService()
	c.createSlice("a", slice("10.0.0.1"))
	f := c.follow(c.userWith(c.namespace+"-reader", readServices, readSlices))
	f.wantUpstreams("10.0.0.1:53")
	c.updateSlice("a", also("10.0.0.2"))
	f.wantUpstreams("10.0.0.1:53", "10.0.0.2:53")
}

func TestFollower_SaysWhichPermissionIsMissing(t *testing.T) {
	c := newCluster(t)
	without := func(rule rbacv1.PolicyRule, verb string) rbacv1.PolicyRule {
		kept := rule
		kept.Verbs = nil
		for _, v := range rule.Verbs {
			if v != verb {
				kept.Verbs = append(kept.Verbs, v)
			}
		}
		return kept
	}
	tests := []struct {
		name  string
		rules []rbacv1.PolicyRule
		want  string
	}{
		{"list-services", []rbacv1.PolicyRule{readSlices, without(readServices, "list")}, "may not list services"},
		{"watch-services", []rbacv1.PolicyRule{readSlices, without(readServices, "watch")}, "may not watch services"},
		{"list-slices", []rbacv1.PolicyRule{readServices, without(readSlices, "list")}, "may not list endpointslices.discovery.k8s.io"},
		{"watch-slices", []rbacv1.PolicyRule{readServices, without(readSlices, "watch")}, "may not watch endpointslices.discovery.k8s.io"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, c.userWith(c.namespace+"-no-"+tt.name, tt.rules...), c.kubeDNS())
			wantStartError(t, f, tt.want+" in namespace "+c.namespace)
		})
	}
}

// wantStartError waits for Start to fail by itself, well before the time for syncing is over.
func wantStartError(t *testing.T, f *following, want string) {
	t.Helper()
	select {
	case err := <-f.ended:
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with %q, got: %v", want, err)
		}
	case <-time.After(patience):
		t.Errorf("no error after %s, want %q", patience, want)
	}
	wantUnsynced(t, f.Follower)
}

func wantUnsynced(t *testing.T, f *Follower) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f.WaitForSync(ctx) {
		t.Error("synced, want not")
	}
}

func TestFollower_GivesUpWithoutAnAPIServer(t *testing.T) {
	f, err := New(&rest.Config{Host: closedPort(t)}, types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.syncTimeout = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = f.Start(ctx)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"kube-system/kube-dns", "caches not synced within 100ms", "connection refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in: %v", want, err)
		}
	}
}

// The API server is starting when access is tried, and fails otherwise when the informers list: the error of the start says
// what kept them last.
func TestFollower_GivesUpWhereListsFail(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message := "etcd has no leader"
		if r.URL.Query().Get("limit") == "1" { // the one object that checkAccess asks for
			message = "the server is starting"
		}
		http.Error(w, message, http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	f, err := New(&rest.Config{Host: server.URL}, types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.syncTimeout = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = f.Start(ctx)
	if err == nil || !strings.Contains(err.Error(), "caches not synced within 1s") || !strings.Contains(err.Error(), "etcd has no leader") {
		t.Errorf("the error does not say how it failed: %v", err)
	}
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}
