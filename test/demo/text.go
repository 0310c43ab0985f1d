// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
)

// blocksChanged returns what the CIDR lines of two NetworkPolicies differ in: "- cidr: ..." for one that went, "+ cidr:
// ..." for one that came.
func blocksChanged(before, after string) []string {
	was, is := linesWith(before, "cidr:"), linesWith(after, "cidr:")
	var changes []string
	for _, line := range was {
		if !slices.Contains(is, line) {
			changes = append(changes, "- "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			changes = append(changes, "+ "+line)
		}
	}
	return changes
}

// linesWith returns the lines that begin with one of the words, without their indentation.
func linesWith(text string, words ...string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); startsWithAny(line, words) {
			found = append(found, line)
		}
	}
	return found
}

// without leaves out the lines that begin with one of the words, after any indentation.
func without(text string, words ...string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !startsWithAny(strings.TrimLeft(line, " "), words) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func startsWithAny(line string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(line, w) })
}

// section returns the line that begins with heading, after any indentation, and what is indented deeper below it.
func section(text, heading string) string {
	var kept strings.Builder
	depth := -1
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " ")
		deep := len(line) - len(trimmed)
		switch {
		case depth < 0 && strings.HasPrefix(trimmed, heading):
			depth = deep
		case depth < 0:
			continue
		case deep <= depth:
			return kept.String()
		}
		kept.WriteString(line)
	}
	return kept.String()
}
