// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command build makes the binaries of the control plane that tests and the demo use, unless they are there already, and
// prints the directory that holds them. With arguments it does so for these binaries alone: build kubectl kubelet. CoreDNS
// is of another module, and so in another directory: build coredns
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := binaries(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	fmt.Println(dir)
	return 0
}

func binaries(ctx context.Context, names []string) (dir string, err error) {
	if slices.Equal(names, []string{"coredns"}) {
		path, err := apiserver.CoreDNS(ctx, os.Stderr)
		return filepath.Dir(path), err
	}
	if len(names) > 0 {
		return apiserver.Build(ctx, os.Stderr, names...)
	}
	return apiserver.Assets(ctx, os.Stderr)
}
