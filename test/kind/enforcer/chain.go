// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// chain is a chain as nft reads it.
type chain struct {
	name  string
	lines []string
}

func (c chain) writeTo(b *strings.Builder) {
	fmt.Fprintf(b, "\tchain %s {\n", c.name)
	for _, line := range c.lines {
		fmt.Fprintf(b, "\t\t%s\n", line)
	}
	b.WriteString("\t}\n")
}

// chainName names a chain after an object. What Kubernetes allows in names nft allows after the first letter, and
// neither namespaces nor names have slashes, so that no two objects share a name. The kernel takes 255 bytes; of a
// longer name the start and a hash remain.
func chainName(kind, namespace, name, direction string) string {
	const longest = 200
	full := strings.Join([]string{kind, namespace, name, direction}, "/")
	if len(full) <= longest {
		return full
	}
	sum := sha256.Sum256([]byte(full))
	return fmt.Sprintf("%s/%x/%s", full[:longest-len(direction)-18], sum[:8], direction)
}
