// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// schema returns the schema that is generated from the types.
func schema(t *testing.T) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	content, err := os.ReadFile("../../config/crd/fqdnegress.dev_fqdnegresspolicies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(content, &crd); err != nil {
		t.Fatal(err)
	}
	return *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// walk calls visit for every field, list item and map value below s.
func walk(path string, s apiextensionsv1.JSONSchemaProps, visit func(path string, s apiextensionsv1.JSONSchemaProps)) {
	visit(path, s)
	for name, p := range s.Properties {
		walk(path+"."+name, p, visit)
	}
	if s.Items != nil {
		walk(path+"[]", *s.Items.Schema, visit)
	}
	if s.AdditionalProperties != nil {
		walk(path+"{}", *s.AdditionalProperties.Schema, visit)
	}
}

func TestSchema_EveryListMapAndStringIsBounded(t *testing.T) {
	root := schema(t)
	for _, part := range []string{"spec", "status"} {
		walk(part, root.Properties[part], func(path string, s apiextensionsv1.JSONSchemaProps) {
			isString := s.Type == "string" && s.Format == "" && len(s.Enum) == 0 || s.XIntOrString
			switch {
			case s.Type == "array" && (s.MaxItems == nil || s.XListType == nil):
				t.Errorf("%s: a list without maxItems or list type", path)
			case s.AdditionalProperties != nil && s.MaxProperties == nil:
				t.Errorf("%s: a map without maxProperties", path)
			case isString && s.MaxLength == nil && path != "status.conditions[].status":
				t.Errorf("%s: a string without maxLength", path)
			}
		})
	}
}

// kubectl explain shows descriptions.
func TestSchema_EveryFieldIsDescribed(t *testing.T) {
	walk("", schema(t), func(path string, s apiextensionsv1.JSONSchemaProps) {
		isItem := strings.HasSuffix(path, "[]") || strings.HasSuffix(path, "{}")
		if path != ".metadata" && !isItem && s.Description == "" {
			t.Errorf("%s has no description", path)
		}
	})
}

// A rule without a row in the table is a rule that nobody tried.
func TestSchema_EveryRuleHasARow(t *testing.T) {
	root := schema(t)
	walk("spec", root.Properties["spec"], func(path string, s apiextensionsv1.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			if !hasRow(rule) {
				t.Errorf("%s: no row expects %s%s", path, rule.Message, rule.MessageExpression)
			}
		}
	})
}

func hasRow(rule apiextensionsv1.ValidationRule) bool {
	// A message that is computed is known by its constant beginning.
	begin, _, computed := strings.Cut(strings.TrimPrefix(rule.MessageExpression, "'"), "%")
	for _, g := range groups() {
		for _, r := range g.rows {
			if computed && strings.HasPrefix(r.message, begin) || !computed && strings.Contains(rule.Message, r.message) {
				return true
			}
		}
	}
	return false
}
