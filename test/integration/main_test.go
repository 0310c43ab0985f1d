// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration runs the real controller binary against a real kube-apiserver, etcd and garbage collector, and
// against real DNS over sockets. Each test has a namespace, a DNS server, a controller process and, since every controller sees
// the policies of all namespaces, a control plane of its own while it runs. What takes long is mostly waiting, so a few tests
// run side by side.
package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
)

// What a test waits for comes within a promise, or is a failure. To each promise a margin is added for a machine that is
// busy with a controller under the race detector, an API server and etcd: what is promised at once takes some ten
// milliseconds there. A controller that keeps the promise by accident, after one of its long delays, must not pass: the
// lease of a leader is 15 s, an address lingers for 30 s, and a contested object is repaired after 30 s.
const (
	margin = 5 * time.Second
	atOnce = margin

	// patience is for rules that follow what a test did: a TTL, or the two seconds of a first write, and the margin.
	patience = 12 * time.Second

	// longPatience is for what is promised to no second: a status, which is held back while answers are still coming and
	// which tells of timeouts only after them, a process that starts or ends, questions that are a TTL apart.
	longPatience = time.Minute

	leaseDuration = 15 * time.Second
)

// coverDir is the variable that names where programs that were built with coverage write it.
const coverDir = "GOCOVERDIR"

// sideBySide is how many tests run at the same time.
const sideBySide = 3

var (
	planes = apiserver.NewPool(sideBySide, apiserver.Options{
		ControllerManager: true,
		APIServerFlags:    map[string]string{"service-cluster-ip-range": "10.0.0.0/24,fd00:10::/112"},
	})
	controllerBinary string // built once, with the race detector
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(sideBySide)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
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
	return planes.Main(m)
}
