// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command fqdn-egress-controller keeps NetworkPolicies true to the host names of FQDNEgressPolicies.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
)

func main() { os.Exit(run(os.Args[1:])) }

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // something outside is not as it must be; a restart may help
	exitUsage  = 2 // a flag is wrong
)

func run(args []string) int {
	options, err := parseOptions(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		complain(err)
		return exitUsage
	}
	if err := serve(ctrl.SetupSignalHandler(), options); err != nil {
		complain(err)
		return exitFailed
	}
	return exitOK
}

// complain prints the one line that a person looks for when the process ended.
func complain(err error) { fmt.Fprintln(os.Stderr, "fqdn-egress-controller:", err) }
