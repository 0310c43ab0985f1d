// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// managedKubeSystem refuses what GKE Autopilot refuses.
const managedKubeSystem = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: managed-namespaces}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [roles, rolebindings]}
  matchConditions:
  - {name: kube-system, expression: request.namespace == "kube-system"}
  validations:
  - {expression: "false", message: the namespace kube-system is managed}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: managed-namespaces}
spec: {policyName: managed-namespaces, validationActions: [Deny]}
`

// TestClusterWideDNS_NeedsNoRoleInKubeSystem has a control plane of its own: on the others the Role is there already.
func TestClusterWideDNS_NeedsNoRoleInKubeSystem(t *testing.T) {
	s := apiserver.StartForTest(t, apiserver.Options{CRDs: []string{}})
	manage(t, s)
	if _, err := s.Kubectl(t.Context(), apply("default")...); err == nil || !strings.Contains(err.Error(), "is managed") {
		t.Fatalf("applying config/default: got %v, want what is refused in kube-system", err)
	}
	who, err := s.ServiceAccount("fqdn-egress-system", "fqdn-egress-controller")
	if err != nil {
		t.Fatal(err)
	}
	if err := follow(t, who); err == nil || !strings.Contains(err.Error(), "config/components/cluster-wide-dns") {
		t.Errorf("following without the component: got %v, want an error that names it", err)
	}

	if _, err := s.Kubectl(t.Context(), apply(overlayWithComponent(t))...); err != nil {
		t.Fatal(err)
	}
	if err := follow(t, who); err != nil {
		t.Errorf("following with the component: %v", err)
	}
	checkGrants(t, who, []grant{
		{"list,watch endpointslices.discovery.k8s.io@kube-system", true},
		{"get,create,update,patch,delete endpointslices.discovery.k8s.io@kube-system", false},
		{"get,list,watch,create,update,patch,delete services.@kube-system", false},
		{"get,list,watch services.@shop", false},
		{"get,list,watch secrets.@kube-system", false},
		{"get,list,watch endpoints.@kube-system", false},
		{"create roles.rbac.authorization.k8s.io@kube-system", false},
	})
	for name, want := range map[string]bool{"kube-dns": true, "kube-dns-upstream": true, "another": false} {
		got := may(t.Context(), t, who, authorizationv1.ResourceAttributes{
			Verb: "list", Resource: "services", Namespace: "kube-system", Name: name,
		})
		if got != want {
			t.Errorf("list of the Service %s: allowed %t, want %t", name, got, want)
		}
	}
}

// manage makes the API server refuse Roles in kube-system, and waits until it does.
func manage(t *testing.T, s *apiserver.Server) {
	t.Helper()
	file := t.TempDir() + "/managed.yaml"
	if err := os.WriteFile(file, []byte(managedKubeSystem), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Kubectl(t.Context(), "apply", "--filename", file); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := s.Kubectl(ctx, "create", "role", "probe", "--namespace=kube-system", "--verb=get", "--resource=pods", "--dry-run=server")
		return err != nil, nil
	})
	if err != nil {
		t.Fatalf("Roles are still taken: %v", err)
	}
}

// overlayWithComponent returns a directory with the overlay of docs/platforms.md.
func overlayWithComponent(t *testing.T) string {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir+"/config", os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	content := "resources: [../config/default]\ncomponents: [../config/components/cluster-wide-dns]\n"
	if err := errors.Join(
		os.Mkdir(dir+"/deploy", 0o700), os.WriteFile(dir+"/deploy/kustomization.yaml", []byte(content), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return dir + "/deploy"
}

// follow lets the controller's follower of the cluster's DNS read its first state as who. Its error is Start's.
func follow(t *testing.T, who apiserver.Access) error {
	t.Helper()
	f, err := clusterdns.New(who.Config, types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}, clusterdns.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.Start(ctx) }()
	synced := make(chan bool, 1)
	go func() { synced <- f.WaitForSync(ctx) }()
	select {
	case err := <-ended:
		return err
	case ok := <-synced:
		cancel()
		if err := <-ended; err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("not synced in time")
		}
		return nil
	}
}
