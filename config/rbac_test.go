// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// A grant is what somebody may or may not do: "verb,verb resource.group/subresource@namespace"; without a namespace, in
// all of them.
type grant struct {
	what    string
	allowed bool
}

func TestRBAC_Controller(t *testing.T) {
	s := installed(t)
	who, err := s.ServiceAccount("fqdn-egress-system", "fqdn-egress-controller")
	if err != nil {
		t.Fatal(err)
	}
	checkGrants(t, who, []grant{
		{"list,watch fqdnegresspolicies.fqdnegress.dev", true},
		{"get,create,update,patch,delete,deletecollection fqdnegresspolicies.fqdnegress.dev", false},
		{"patch fqdnegresspolicies.fqdnegress.dev/status", true},
		{"update fqdnegresspolicies.fqdnegress.dev/status", false},
		{"update fqdnegresspolicies.fqdnegress.dev/finalizers", false},
		{"get,list,watch,create,update,delete networkpolicies.networking.k8s.io", true},
		{"patch,deletecollection networkpolicies.networking.k8s.io", false},
		{"list,watch servicecidrs.networking.k8s.io", true},
		{"get,create,update,delete servicecidrs.networking.k8s.io", false},
		{"create,patch events.events.k8s.io@shop", true},
		{"get,list,delete events.events.k8s.io@shop", false},
		{"create,patch events.@fqdn-egress-system", true},
		{"create events.@shop", false},
		{"create leases.coordination.k8s.io@fqdn-egress-system", true},
		{"create,get,update leases.coordination.k8s.io@kube-system", false},
		{"list,watch services.@kube-system", true},
		{"list,watch endpointslices.discovery.k8s.io@kube-system", true},
		{"get services.@kube-system", false},
		{"get endpointslices.discovery.k8s.io@kube-system", false},
		{"get,list,watch services.", false},
		{"get,list,watch endpointslices.discovery.k8s.io@shop", false},
		{"create,update,delete services.@kube-system", false},
		{"get,list,watch secrets.@fqdn-egress-system", false},
		{"get,list,watch configmaps.@kube-system", false},
		{"get,list,watch pods.@shop", false},
		{"get,list,watch namespaces.", false},
	})
}

// The Lease is the controller's own by name.
func TestRBAC_ControllerUpdatesOnlyItsLease(t *testing.T) {
	s := installed(t)
	who, err := s.ServiceAccount("fqdn-egress-system", "fqdn-egress-controller")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"fqdn-egress-controller": true, "another": false} {
		for _, verb := range []string{"get", "update"} {
			got := may(t.Context(), t, who, authorizationv1.ResourceAttributes{
				Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: "fqdn-egress-system", Name: name,
			})
			if got != want {
				t.Errorf("%s of the Lease %s: allowed %t, want %t", verb, name, got, want)
			}
		}
	}
}

func TestRBAC_Users(t *testing.T) {
	s := installed(t)
	for role, grants := range map[string][]grant{
		"fqdn-egress-policy-editor": {
			{"get,list,watch,create,update,patch,delete,deletecollection fqdnegresspolicies.fqdnegress.dev@shop", true},
			{"get fqdnegresspolicies.fqdnegress.dev/status@shop", true},
			{"update,patch fqdnegresspolicies.fqdnegress.dev/status@shop", false},
			{"create networkpolicies.networking.k8s.io@shop", false},
			{"get fqdnegresspolicies.fqdnegress.dev@default", false},
		},
		"fqdn-egress-policy-viewer": {
			{"get,list,watch fqdnegresspolicies.fqdnegress.dev@shop", true},
			{"create,update,patch,delete fqdnegresspolicies.fqdnegress.dev@shop", false},
		},
		"view": {
			{"get,list,watch fqdnegresspolicies.fqdnegress.dev@shop", true},
			{"create,update,patch,delete fqdnegresspolicies.fqdnegress.dev@shop", false},
		},
		"edit": {
			{"get,list,watch fqdnegresspolicies.fqdnegress.dev@shop", true},
			{"create networkpolicies.networking.k8s.io@shop", true},
			{"create,update,patch,delete fqdnegresspolicies.fqdnegress.dev@shop", false},
		},
		"admin": {
			{"create,update,patch,delete fqdnegresspolicies.fqdnegress.dev@shop", false},
		},
	} {
		t.Run(role, func(t *testing.T) { checkGrants(t, bound(t, s, role), grants) })
	}
}

// bound returns a user who has a ClusterRole in the namespace shop, once the aggregation of roles came through.
func bound(t *testing.T, s *apiserver.Server, role string) apiserver.Access {
	t.Helper()
	user := "somebody-with-" + role
	if _, err := s.Kubectl(t.Context(), "create", "rolebinding", user, "--namespace=shop", "--clusterrole="+role, "--user="+user); err != nil {
		t.Fatal(err)
	}
	who, err := s.User(user)
	if err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		return may(ctx, t, who, attributes("get", "fqdnegresspolicies.fqdnegress.dev@shop")), nil
	})
	if err != nil {
		t.Fatalf("%s may not read policies in time: %v", role, err)
	}
	return who
}

func checkGrants(t *testing.T, who apiserver.Access, grants []grant) {
	t.Helper()
	for _, g := range grants {
		verbs, resource, _ := strings.Cut(g.what, " ")
		for verb := range strings.SplitSeq(verbs, ",") {
			if got := may(t.Context(), t, who, attributes(verb, resource)); got != g.allowed {
				t.Errorf("%s %s: allowed %t, want %t", verb, resource, got, g.allowed)
			}
		}
	}
}

func attributes(verb, resource string) authorizationv1.ResourceAttributes {
	resource, namespace, _ := strings.Cut(resource, "@")
	resource, subresource, _ := strings.Cut(resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	return authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace,
	}
}

func may(ctx context.Context, t *testing.T, who apiserver.Access, what authorizationv1.ResourceAttributes) bool {
	t.Helper()
	c, err := kubernetes.NewForConfig(who.Config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
		&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}
