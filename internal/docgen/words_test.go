// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docgen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWordsHaveOneMeaning holds the types of the packages to the table of words in docs/design.md: a type that is called like
// one of them stands in one package only. The kinds of the API are left out: their fields have the words of users.
func TestWordsHaveOneMeaning(t *testing.T) {
	packages := packagesOfTypes(t)
	words := wordsOf(t)
	if len(words) < 8 {
		t.Fatalf("the table has the words %v only", words)
	}
	for _, word := range words {
		if in := packages[word]; len(in) > 1 {
			t.Errorf("%q is a type of %s: each word has one meaning", word, strings.Join(slices.Sorted(maps.Keys(in)), " and of "))
		}
	}
}

// wordsOf returns the words of the table.
func wordsOf(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Words\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var words []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z]+) \|`).FindAllStringSubmatch(table, -1) {
		if row[1] != "word" {
			words = append(words, row[1])
		}
	}
	return words
}

// packagesOfTypes returns the packages that have a type of a name, in lower case.
func packagesOfTypes(t *testing.T) map[string]map[string]bool {
	t.Helper()
	packages := map[string]map[string]bool{}
	for _, root := range []string{"controllers", "internal", "resolver"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for spec := range typesOf(file) {
				name := strings.ToLower(spec.Name.Name)
				if packages[name] == nil {
					packages[name] = map[string]bool{}
				}
				packages[name][strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return packages
}

// typesOf yields the type declarations of a file.
func typesOf(file *ast.File) func(yield func(*ast.TypeSpec) bool) {
	return func(yield func(*ast.TypeSpec) bool) {
		for _, d := range file.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range decl.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok && !yield(spec) {
					return
				}
			}
		}
	}
}
