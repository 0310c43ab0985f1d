// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows in a minute what the product does: a real control plane, the real controller and a DNS server that
// the demo steers, all on loopback. It ends by itself, with exit code 0 only if every step was seen.
//
//	go run ./test/demo           # the tour
//	KEEP=1 go run ./test/demo    # the tour, and then it stays to be played with
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, unhook := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer unhook()
	context.AfterFunc(ctx, unhook) // a second signal ends the process at once

	w := &world{say: newNarrator(os.Stdout)}
	err := tour(ctx, w)
	toured := err == nil
	if keepsRunning := os.Getenv("KEEP"); toured && keepsRunning != "" && keepsRunning != "0" {
		err = keep(ctx, w, os.Stdin)
	}
	code := 0
	switch {
	case ctx.Err() != nil:
		w.say.plain("\n" + indent + "cleaning up")
		if !toured {
			code = exitInterrupted
		}
	case err != nil:
		w.say.failed(err)
		w.say.log(w.logTail(30))
		code = 1
	}
	if err := w.stop(); err != nil {
		w.say.failed(fmt.Errorf("cleaning up: %w", err))
		code = 1
	}
	return code
}

// exitInterrupted is what shells give to a program that SIGINT ended.
const exitInterrupted = 130
