// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docgen

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinksLeadSomewhere follows every relative link of the pages, to files and to headings.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for path, text := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", path, match[1], err)
				continue
			}
			if anchor != "" && !anchors(t, to)[anchor] {
				t.Errorf("%s links to %s, which has no such heading", path, match[1])
			}
		}
	}
}

// TestNamedMetricsExist looks for the metrics that the pages name, such as in alerts, in the page of all metrics.
func TestNamedMetricsExist(t *testing.T) {
	all, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\bfqdn_egress_[a-z_]*[a-z]\b`)
	for path, text := range pages(t) {
		for _, metric := range name.FindAllString(text, -1) {
			if !strings.Contains(string(all), "`"+strings.TrimSuffix(metric, "_bucket")+"`") {
				t.Errorf("%s names the metric %s, which does not exist", path, metric)
			}
		}
	}
}

// TestNamedFilesExist looks for the Go files that pages name with their folder, and that the maps of packages (doc.go) name.
func TestNamedFilesExist(t *testing.T) {
	root := filepath.Join("..", "..")
	named := regexp.MustCompile("`([a-z0-9/]+/[a-z0-9_]+\\.go)`")
	for path, text := range pages(t) {
		for _, match := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s names %s: %v", path, match[1], err)
			}
		}
	}
	sibling := regexp.MustCompile(`\b[a-z0-9_]+\.go\b`)
	for _, in := range []string{"resolver", "internal/netpol"} {
		content, err := os.ReadFile(filepath.Join(root, in, "doc.go"))
		if err != nil {
			t.Fatal(err)
		}
		files := sibling.FindAllString(string(content), -1)
		if len(files) < 10 {
			t.Errorf("the map of %s names the files %v only", in, files)
		}
		for _, file := range files {
			if _, err := os.Stat(filepath.Join(root, in, file)); err != nil {
				t.Errorf("the map of %s names %s: %v", in, file, err)
			}
		}
	}
}

// pages returns the Markdown files by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no pages at %s: %v", pattern, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(content)
		}
	}
	return texts
}

// anchors returns what the headings of a page can be linked to by, in the way of GitHub.
func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped := regexp.MustCompile(`[^\p{L}\p{N}\-_ ]`)
	for _, match := range heading.FindAllStringSubmatch(string(content), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(match[1]), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return found
}

func TestAnchors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("# A page\ntext\n## 1. It fails, closed `now`\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"a-page": true, "1-it-fails-closed-now": true}
	if got := anchors(t, path); !maps.Equal(want, got) {
		t.Errorf("got %v, want %v", got, want)
	}
}
