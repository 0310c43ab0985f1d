// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command world is what the end-to-end tests put into a cluster around the controller: a DNS server that they program, web
// servers, and clients that never stop asking.
//
//	world dns                       DNS on port 53, and its control (dnstest.Control) on port 8080
//	world web PORT...               HTTP on every address of the pod; says which address was asked and who asked
//	world traffic [flags] NAME PORT one request after another until standard input ends; a JSON line about each
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say which part to play: dns, web or traffic")
	}
	switch part, rest := args[0], args[1:]; part {
	case "dns":
		return serveDNS(ctx)
	case "web":
		return serveWeb(ctx, rest)
	case "traffic":
		return makeTraffic(ctx, rest)
	default:
		return fmt.Errorf("%q is none of dns, web and traffic", part)
	}
}
