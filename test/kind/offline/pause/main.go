// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause holds the namespaces of a pod until it is told to stop, and reaps the processes that it inherits. It is
// the sandbox image of the offline node image.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap collects all children that ended: signals of the same kind are merged into one.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
			return
		}
	}
}
