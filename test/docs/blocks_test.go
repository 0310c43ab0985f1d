// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// page is one Markdown file.
type page struct {
	name   string // from the root of the repository
	blocks []block
}

// block is what stands between two fences.
type block struct {
	line     int // of the opening fence
	language string
	text     string
	notTried string // the reason that the comment above it gives
}

func pages(t *testing.T, root string) []page {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	var all []page
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{filepath.ToSlash(name), blocksOf(string(text))})
	}
	return all
}

// blocksOf reads the fenced blocks of a page; what indents a fence, as in a list, indents its block.
func blocksOf(text string) []block {
	notTried := regexp.MustCompile(`^\s*<!-- not tried: (.+) -->$`)
	var blocks []block
	var open *block
	indent, above := "", ""
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case isFence && open == nil:
			indent = line[:strings.Index(line, "```")]
			open = &block{line: i + 1, language: fence}
			if m := notTried.FindStringSubmatch(above); m != nil {
				open.notTried = m[1]
			}
		case isFence:
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
		if strings.TrimSpace(line) != "" {
			above = line
		}
	}
	return blocks
}

// manifests returns the YAML that a reader is to write: the block itself, or the here-documents of its commands.
func (b block) manifests() []string {
	switch b.language {
	case "yaml":
		return []string{b.text}
	case "sh":
		var texts []string
		for _, m := range regexp.MustCompile(`(?s)<<'END'\n(.*?)\nEND\n`).FindAllStringSubmatch(b.text, -1) {
			texts = append(texts, m[1])
		}
		return texts
	}
	return nil
}

func TestBlocks(t *testing.T) {
	const text = "Text.\n\n```yaml\na: 1\n```\n\n<!-- not tried: why -->\n\n  ```yaml\n  b:\n    c: 2\n  ```\n" +
		"```sh\ncat > f <<'END'\nd: 3\nEND\nkubectl apply -f - <<'END'\ne: 4\n---\nf: 5\nEND\n```\n```console\ng: 6\n```\n"
	var got [][]string
	var reasons []string
	for _, b := range blocksOf(text) {
		got, reasons = append(got, b.manifests()), append(reasons, b.notTried)
	}
	if diff := cmp.Diff([][]string{{"a: 1\n"}, {"b:\n  c: 2\n"}, {"d: 3", "e: 4\n---\nf: 5"}, nil}, got); diff != "" {
		t.Errorf("manifests, -want +got: %s", diff)
	}
	if diff := cmp.Diff([]string{"", "why", "", ""}, reasons); diff != "" {
		t.Errorf("reasons, -want +got: %s", diff)
	}
}
