// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// A status with more of everything than any policy has must be stored all the same: one string that is too long would
// lose all of it.
func TestBoundedStatusFitsTheSchema(t *testing.T) {
	long := strings.Repeat("ä\xff", 6_000) // two bytes a letter, and one that is none
	name := v1alpha1.FQDNStatus{
		FQDN: long, State: v1alpha1.FQDNState(long), Message: long, Addresses: slices.Repeat([]string{long}, 100),
		Refused: slices.Repeat([]v1alpha1.RefusedAddress{{Address: long, Reason: long}}, 100),
	}
	status := v1alpha1.FQDNEgressPolicyStatus{
		NetworkPolicies: slices.Repeat([]string{long}, 100),
		FQDNs:           append([]v1alpha1.FQDNStatus{name}, make([]v1alpha1.FQDNStatus, 600)...),
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionResolved, v1alpha1.ConditionProgrammed, v1alpha1.ConditionStalled} {
		status.Conditions = append(status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: "Reason", Message: long})
	}
	schema := statusSchema(t)
	if misfits := misfits(t, schema, status); len(misfits) == 0 {
		t.Fatal("the test says nothing: this fits before it is cut")
	}
	bound(&status)
	for _, misfit := range misfits(t, schema, status) {
		t.Error(misfit)
	}
	if got := status.FQDNs[0].Message; len(got) < maxMessage/2 || !strings.HasSuffix(got, "...") {
		t.Errorf("a message was cut to %d bytes: %q", len(got), got)
	}
}

func statusSchema(t *testing.T) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "*fqdnegresspolicies.yaml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the CRD: %v, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(raw, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
}

// misfits lists what of the status exceeds its schema.
func misfits(t *testing.T, schema apiextensionsv1.JSONSchemaProps, status v1alpha1.FQDNEgressPolicyStatus) []string {
	t.Helper()
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	walk("status", schema, value, func(misfit string) { seen[misfit] = true })
	var list []string
	for m := range seen {
		list = append(list, m)
	}
	slices.Sort(list)
	return list
}

func walk(path string, schema apiextensionsv1.JSONSchemaProps, value any, misfit func(string)) {
	switch v := value.(type) {
	case string:
		if schema.MaxLength != nil && utf8.RuneCountInString(v) > int(*schema.MaxLength) {
			misfit(fmt.Sprintf("%s: longer than %d", path, *schema.MaxLength))
		}
		if schema.MaxLength == nil && len(schema.Enum) == 0 && schema.Format == "" {
			misfit(path + ": no bound in the schema")
		}
	case []any:
		if schema.MaxItems == nil || len(v) > int(*schema.MaxItems) {
			misfit(fmt.Sprintf("%s: %d items, more than the schema takes", path, len(v)))
		}
		for _, item := range v {
			walk(path+"[]", *schema.Items.Schema, item, misfit)
		}
	case map[string]any:
		for key, field := range v {
			walk(path+"."+key, schema.Properties[key], field, misfit)
		}
	}
}
