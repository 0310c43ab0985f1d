// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docs tries what the pages tell a reader to write: every YAML of them goes to a real API server, and every overlay
// is built. A block that cannot be tried says so above itself, with the reason: <!-- not tried: needs the Prometheus operator -->
package docs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

var plane = apiserver.NewShared(apiserver.Options{})

func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }

// namespaces are those that the pages speak of as if they were there.
var namespaces = []string{"shop", "story", "fqdn-egress-system", "openshift-dns", "argocd"}

func TestYAMLOfThePagesIsAccepted(t *testing.T) {
	s := plane.Server(t)
	for _, name := range namespaces {
		if _, err := s.Kubectl(t.Context(), "create", "namespace", name); err != nil {
			t.Fatal(err)
		}
	}
	root, err := apiserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]int{}
	for _, page := range pages(t, root) {
		for _, b := range page.blocks {
			for _, manifest := range b.manifests() {
				t.Run(fmt.Sprintf("%s:%d", page.name, b.line), func(t *testing.T) {
					err := try(t, s, root, manifest)
					switch {
					case b.notTried == "" && err != nil:
						t.Errorf("%v\n%s", err, manifest)
					case b.notTried != "" && err == nil:
						t.Errorf("it is accepted: why does the page say %q?", b.notTried)
					case b.notTried == "":
						tried[page.name]++
					}
				})
			}
		}
	}
	for _, name := range []string{"README.md", "docs/cluster-dns.md", "docs/fqdnegresspolicy.md", "docs/operations.md", "docs/walkthrough.md"} {
		if tried[name] == 0 {
			t.Errorf("nothing of %s was tried: does this test still find its blocks?", name)
		}
	}
}

// What the test above rests on must be able to fail.
func TestWhatIsWrongIsNotAccepted(t *testing.T) {
	s := plane.Server(t)
	root, err := apiserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	const policy = "apiVersion: fqdnegress.dev/v1alpha1\nkind: FQDNEgressPolicy\nmetadata: {name: web, namespace: default}\n"
	for name, manifest := range map[string]string{
		"a host that is refused":     policy + "spec: {egress: [{to: [{fqdn: '*.com'}]}]}",
		"a field that is none":       policy + "spec: {egress: [{to: [{fqdns: www.example.com}]}]}",
		"a kind that is not served":  "apiVersion: example.com/v1\nkind: None\nmetadata: {name: none}",
		"a second document is wrong": policy + "spec: {}\n---\n" + policy + "spec: {mode: Perhaps}",
		"an overlay of nothing":      "kind: Kustomization\nresources: [../config/none]",
		"a patch of nothing":         "patches:\n- target: {kind: Deployment}\n  patch: '[{op: remove, path: /spec/none}]'",
		"no YAML":                    "a: b: c",
		"not a whole manifest":       "- {op: add}",
	} {
		if err := try(t, s, root, manifest); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// try gives a manifest to the API server, which judges it and stores nothing. An overlay, or a part to be added to one, is
// built first.
func try(t *testing.T, s *apiserver.Server, root, manifest string) error {
	t.Helper()
	var first map[string]any
	head, _, _ := strings.Cut(manifest, "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(head), &first); err != nil {
		return err
	}
	if first["kind"] == "Kustomization" || first["patches"] != nil {
		built, err := build(t, s, root, manifest, first)
		if err != nil {
			return err
		}
		manifest = built
	}
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		return err
	}
	_, err := s.Kubectl(t.Context(), "apply", "--dry-run=server", "--validate=strict", "-f", file)
	return err
}

// build renders the overlay in a directory beside config, where the pages put it.
func build(t *testing.T, s *apiserver.Server, root, overlay string, fields map[string]any) (string, error) {
	t.Helper()
	dir := t.TempDir()
	if fields["resources"] == nil {
		overlay = "resources: [../config/default]\n" + overlay
	}
	err := errors.Join(
		os.CopyFS(filepath.Join(dir, "config"), os.DirFS(filepath.Join(root, "config"))),
		os.Mkdir(filepath.Join(dir, "deploy"), 0o700),
		os.WriteFile(filepath.Join(dir, "deploy", "kustomization.yaml"), []byte(overlay), 0o600),
		os.WriteFile(filepath.Join(dir, "deploy", "dns-ca.crt"), []byte("a certificate\n"), 0o600), // the reader's own
	)
	if err != nil {
		return "", err
	}
	out, err := s.Kubectl(t.Context(), "kustomize", filepath.Join(dir, "deploy"))
	return string(out), err
}

// TestCommandsOfThePagesExist looks for the make targets and the scripts that the pages name.
func TestCommandsOfThePagesExist(t *testing.T) {
	root, err := apiserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`(?m)^(?:[A-Z]+=\S+ )*make ([a-z0-9-]+)`)
	script := regexp.MustCompile(`(?m)^(test/\S+)`)
	targets, scripts := 0, 0
	for _, page := range pages(t, root) {
		for _, b := range page.blocks {
			for _, m := range target.FindAllStringSubmatch(b.text, -1) {
				targets++
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s:%d: there is no target %s", page.name, b.line, m[1])
				}
			}
			for _, m := range script.FindAllStringSubmatch(b.text, -1) {
				scripts++
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s:%d: %v", page.name, b.line, err)
				}
			}
		}
	}
	if targets < 8 || scripts < 2 {
		t.Errorf("%d targets and %d scripts: does this test still find them?", targets, scripts)
	}
}
