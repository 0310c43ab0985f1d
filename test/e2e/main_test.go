// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package e2e shows by packets what the controller does in a cluster: what a policy says passes, and all else does not.
//
// It runs against the cluster that KUBECONFIG names, which has the controller (config/default), the image of
// test/e2e/Dockerfile on its nodes, IPv4 and IPv6, a network plugin that enforces NetworkPolicy, and CoreDNS for its DNS.
// The plugin may take some seconds for it, leave a new pod open until then, and drop or reject what it blocks. That CoreDNS
// is made to forward to a DNS server of the tests, and privileged pods give each node an internet: use a cluster that
// can be thrown away. `make e2e` and `make e2e-offline` make one.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// patience is how long the cluster may take for what it does within seconds: its machine may be busy.
const patience = 90 * time.Second

// shared is the cluster that all tests share.
var shared *cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" { // needs no cluster
		return m.Run()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var err error
	if shared, err = connect(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	if err := shared.prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: preparing the cluster:", err)
		return 1
	}
	code := m.Run()
	ctx, cancel = context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := shared.restore(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: leaving the cluster as it was:", err)
		return 1
	}
	return code
}
