// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration runs the real controller binary against a real kube-apiserver, etcd and garbage collector, and
// against real DNS over sockets. Each test has a namespace, a DNS server and a controller process of its own; tests run one
// after the other, since every controller sees the policies of all namespaces.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// patience is how long a test waits for what must come; nothing is measured with it.
const patience = 30 * time.Second

var (
	plane            = apiserver.NewShared(apiserver.Options{ControllerManager: true})
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
	controllerBinary = filepath.Join(dir, "fqdn-egress-controller")
	build := exec.Command("go", "build", "-race", "-o", controllerBinary, "github.com/fqdn-egress/fqdn-egress/cmd/fqdn-egress-controller")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the controller: %v\n%s", err, out)
		return 1
	}
	return plane.Main(m)
}
