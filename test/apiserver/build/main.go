// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command build makes the binaries of the control plane that tests and the demo use, unless they are there already, and
// prints the directory that holds them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := apiserver.Assets(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	fmt.Println(dir)
	return 0
}
