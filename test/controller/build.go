// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller builds the controller of this repository and runs it as a process: for the integration tests, the
// demo and the measurements. Another program that they run beside it, such as CoreDNS, is a [Child] too.
package controller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

const (
	name        = "fqdn-egress-controller"
	mainPackage = "github.com/fqdn-egress/fqdn-egress/cmd/" + name
)

// progressEvery is how often a running build says that it still runs.
const progressEvery = 5 * time.Second

// Build compiles the controller into dir and returns the path of the binary. flags are further flags of `go build`, such
// as -race; without them it is built as it is shipped. A line goes to progress every few seconds while it compiles.
func Build(ctx context.Context, dir string, progress io.Writer, flags ...string) (binary string, err error) {
	root, err := apiserver.Root()
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", binary}, flags...), mainPackage)...)
	cmd.Dir = root
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	start, tick := time.Now(), time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return "", fmt.Errorf("building the controller: %w\n%s", err, said.String())
			}
			return binary, nil
		case <-tick.C:
			fmt.Fprintf(progress, "%s: building, %.0f s (first time takes 1 to 2 minutes)\n", name, time.Since(start).Seconds())
		}
	}
}
