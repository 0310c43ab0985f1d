// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config_test applies the manifests of this directory to a real API server.
package config_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// plane has no CRD of its own: config/default brings it. The controller manager fills the aggregated roles.
var plane = apiserver.NewShared(apiserver.Options{CRDs: []string{}, ControllerManager: true})

func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }

// installed returns the control plane with config/default and config/samples applied. An unknown or misspelt field in
// any manifest is an error.
func installed(t *testing.T) *apiserver.Server {
	t.Helper()
	s := plane.Server(t)
	if err := install(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// install applies the manifests once for all tests. It is not part of any one of them, so it has no test's context.
var install = onceFor(func(s *apiserver.Server) error {
	ctx := context.Background()
	if _, err := s.Kubectl(ctx, apply("default")...); err != nil {
		return err
	}
	if _, err := s.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd/fqdnegresspolicies.fqdnegress.dev"); err != nil {
		return err
	}
	_, err := s.Kubectl(ctx, apply("samples")...)
	return err
})

func onceFor(f func(*apiserver.Server) error) func(*apiserver.Server) error {
	var once sync.Once
	var err error
	return func(s *apiserver.Server) error {
		once.Do(func() { err = f(s) })
		return err
	}
}

func apply(dir string) []string {
	return []string{"apply", "--kustomize", dir, "--validate=strict"}
}

// What is applied twice changes nothing: the API server fills no field that a manifest then takes away again.
func TestApply_IsIdempotent(t *testing.T) {
	s := installed(t)
	for _, dir := range []string{"default", "samples"} {
		before := generations(t, s, dir)
		if _, err := s.Kubectl(t.Context(), apply(dir)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, generations(t, s, dir)); diff != "" {
			t.Errorf("%s, applied again (-before +after):\n%s", dir, diff)
		}
	}
}

// generations lists every object of a directory with its generation, which counts changes of its spec.
func generations(t *testing.T, s *apiserver.Server, dir string) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), "get", "--kustomize", dir,
		"--output=custom-columns=KIND:.kind,NAME:.metadata.name,GENERATION:.metadata.generation")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The image is one setting: whoever builds it names it in an overlay.
func TestImage_IsSettable(t *testing.T) {
	overlay := t.TempDir()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	content := "resources: [default]\nimages: [{name: fqdn-egress-controller, newName: registry.example.com/fqdn, newTag: v1}]\n"
	if err := os.CopyFS(overlay, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay+"/kustomization.yaml", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := plane.Server(t).Kubectl(t.Context(), "kustomize", overlay)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(out), "image: registry.example.com/fqdn:v1\n"); got != 1 {
		t.Errorf("the image stands %d times in the overlay's output, want once", got)
	}
}

// The pods pass the strictest Pod Security Standard, which the namespace enforces: no container of the Deployment needs
// a privilege.
func TestPods_PassPodSecurityRestricted(t *testing.T) {
	s := installed(t)
	template, err := s.Kubectl(t.Context(), "get", "deployment", "fqdn-egress-controller",
		"--namespace=fqdn-egress-system", "--output=jsonpath={.spec.template.spec}")
	if err != nil {
		t.Fatal(err)
	}
	if err := createPod(t, s, string(template)); err != nil {
		t.Error(err)
	}
	weaker := strings.Replace(string(template), `"allowPrivilegeEscalation":false`, `"allowPrivilegeEscalation":true`, 1)
	if err := createPod(t, s, weaker); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("got %v, want a pod with less to violate PodSecurity", err)
	}
}

// createPod asks whether a pod with this spec in JSON may run in the controller's namespace.
func createPod(t *testing.T, s *apiserver.Server, spec string) error {
	t.Helper()
	file := t.TempDir() + "/pod.json"
	pod := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "fqdn-egress-system"}, "spec": ` + spec + `}`
	if err := os.WriteFile(file, []byte(pod), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Kubectl(t.Context(), "create", "--dry-run=server", "--validate=strict", "--filename", file)
	return err
}
