// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func page(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/fqdnegresspolicy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The page explains every field of the schema, every condition type, reason and state.
func TestPage_IsComplete(t *testing.T) {
	text := page(t)
	for _, word := range append(fields(t), constants(t)...) {
		if !strings.Contains(text, word) {
			t.Errorf("the page does not say %s", word)
		}
	}
}

// fields returns the name of every field of spec and status, as code.
func fields(t *testing.T) []string {
	t.Helper()
	var names []string
	visit := func(path string, _ apiextensionsv1.JSONSchemaProps) {
		name := path[strings.LastIndex(path, ".")+1:]
		isOfSelectorOrCondition := strings.Contains(path, "match") || strings.Contains(path, "conditions[]")
		if isField := name != "" && !strings.ContainsAny(name, "[]{}"); isField && !isOfSelectorOrCondition {
			names = append(names, name+"`")
		}
	}
	for _, part := range []string{"spec", "status"} {
		for name, p := range schema(t).Properties[part].Properties {
			walk("."+name, p, visit)
		}
	}
	return names
}

// constants returns every word of the API that is a constant, as code.
func constants(t *testing.T) []string {
	t.Helper()
	var words []string
	for _, file := range []string{"conditions.go", "fqdnegresspolicy_types.go", "status_types.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
					word, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					words = append(words, "`"+word+"`")
				}
			}
			return true
		})
	}
	if len(words) < 20 {
		t.Fatalf("found %d constants", len(words))
	}
	return words
}
