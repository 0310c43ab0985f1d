// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration runs the real controller binary against a real kube-apiserver, etcd and garbage collector, and
// against real DNS over sockets. Each test has a namespace, a DNS server and a controller process of its own; tests run one
// after the other, since every controller sees the policies of all namespaces.
package integration

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
)

// patience is how long a test waits for what must come; nothing is measured with it.
const patience = 30 * time.Second

// coverDir is the variable that names where programs that were built with coverage write it.
const coverDir = "GOCOVERDIR"

var (
	plane = apiserver.NewShared(apiserver.Options{
		ControllerManager: true,
		APIServerFlags:    map[string]string{"service-cluster-ip-range": "10.0.0.0/24,fd00:10::/112"},
	})
	controllerBinary string // built once, with the race detector
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fqdn-egress-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	flags := []string{"-race"}
	if os.Getenv(coverDir) != "" {
		flags = append(flags, "-cover", "-coverpkg=github.com/fqdn-egress/fqdn-egress/...")
	}
	if controllerBinary, err = controller.Build(context.Background(), dir, os.Stderr, flags...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return plane.Main(m)
}
