// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package docgen writes the pages of docs/ that list flags and metrics, from the flags and metrics themselves.
package docgen

import "strings"

// generated is the first line of every page.
const generated = "<!-- Generated from the code by `make generate`. Do not edit. -->\n\n"

// cell makes text fit into a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", "&lt;").Replace(text)
}
