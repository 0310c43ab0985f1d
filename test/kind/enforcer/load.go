// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// load replaces what the table has by what compile wrote, through the command nft, which does all of it or, with an
// error, nothing.
//
// Deleting the table and making it anew would be simpler, but the base chain would change hands: a packet that is
// between the old one and the new one when the transaction takes effect meets the first too early and the second too
// late. So the base chain stays, and only the rules and the other chains are replaced: a packet keeps to the generation
// of rules that it met at the base chain.
func load(ctx context.Context, nft []string, ruleset string) error {
	chains, err := invoke(ctx, nft, "list chains inet\n")
	if err != nil {
		return err
	}
	_, err = invoke(ctx, nft, clearTable(chains)+ruleset)
	return err
}

// clearTable empties the table but for its base chain, if nft's list of chains has it.
func clearTable(chains string) string {
	var b strings.Builder
	var table string
	for line := range strings.Lines(chains) {
		switch fields := strings.Fields(line); {
		case len(fields) == 4 && fields[0] == "table":
			if table = fields[2]; table == tableName {
				fmt.Fprintf(&b, "flush table inet %s\n", tableName)
			}
		case len(fields) == 3 && fields[0] == "chain" && table == tableName && fields[1] != "forward":
			fmt.Fprintf(&b, "delete chain inet %s %s\n", tableName, fields[1])
		}
	}
	return b.String()
}

// invoke gives nft a script.
func invoke(ctx context.Context, nft []string, script string) (out string, err error) {
	cmd := exec.CommandContext(ctx, nft[0], append(nft[1:len(nft):len(nft)], "-f", "-")...)
	cmd.Stdin = strings.NewReader(script)
	stdout, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		const most = 500 // nft quotes the lines that it complains about, and they can be long
		return "", fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(exit.Stderr[:min(len(exit.Stderr), most)]))
	}
	return string(stdout), err
}

// checkBridge says what keeps packets between the pods of a bridge from the forward hook. The bridge comes with the
// first pod, so this is asked each time. The file system is below root.
func checkBridge(root, bridge string) error {
	if _, err := os.Stat(filepath.Join(root, "sys/class/net", bridge)); err != nil {
		return nil //nolint:nilerr // no bridge: every packet between pods is routed
	}
	for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
		value, err := os.ReadFile(filepath.Join(root, "proc/sys/net/bridge", name))
		if err != nil {
			return fmt.Errorf("pods on %s reach each other unjudged: %w", bridge, err)
		}
		if got := strings.TrimSpace(string(value)); got != "1" {
			return fmt.Errorf("pods on %s reach each other unjudged: net.bridge.%s is %s", bridge, name, got)
		}
	}
	return nil
}
