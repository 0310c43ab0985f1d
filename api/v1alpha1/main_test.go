// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// plane is the API server that the tests of this package ask. It has the CRD that is generated from the types.
var plane = apiserver.NewShared(apiserver.Options{})

func TestMain(m *testing.M) { os.Exit(plane.Main(m)) }

// newClient returns a client whose requests are decoded strictly: an unknown field is an error, as it is with kubectl.
func newClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(plane.Server(t).Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// policy returns a policy with a spec in YAML. It is unstructured, so that it can hold what the Go types cannot.
func policy(t *testing.T, name, spec string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{}}
	var content map[string]any
	if err := yaml.Unmarshal([]byte(spec), &content); err != nil {
		t.Fatalf("%v in:\n%s", err, spec)
	}
	o.Object["spec"] = content
	o.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.Kind))
	o.SetNamespace(metav1.NamespaceDefault)
	o.SetName(name)
	return o
}

// dryRun asks the API server whether it would accept a policy, without storing it.
func dryRun(t *testing.T, c client.Client, o client.Object) error {
	t.Helper()
	return c.Create(t.Context(), o, client.DryRunAll)
}
