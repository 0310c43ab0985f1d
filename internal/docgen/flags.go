// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package docgen

import (
	"flag"
	"fmt"
	"strings"
)

// Flags is the page of all flags of fs, which must not have been parsed: values stand for defaults.
func Flags(fs *flag.FlagSet) string {
	var page strings.Builder
	fmt.Fprintf(&page, "%s# Flags of %s\n\n| flag | default | meaning |\n| --- | --- | --- |\n", generated, fs.Name())
	fs.VisitAll(func(f *flag.Flag) {
		value := "none"
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		_, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&page, "| `--%s` | %s | %s |\n", f.Name, value, cell(usage))
	})
	return page.String()
}
