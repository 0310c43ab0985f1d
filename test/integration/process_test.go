// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/controller"
)

// process is a controller that a test runs; what fails, fails the test.
type process struct {
	t       *testing.T
	process *controller.Process
	log     controller.Log
}

// start runs the controller against the control plane; flags come after those that every test needs. It does not wait.
func start(t *testing.T, kubeconfig string, flags ...string) *process {
	t.Helper()
	return startWith(t, nil, kubeconfig, flags...)
}

// startWith does so with variables of the environment, "NAME=value".
func startWith(t *testing.T, env []string, kubeconfig string, flags ...string) *process {
	t.Helper()
	c, err := controller.Start(controller.Options{
		Binary: controllerBinary, Kubeconfig: kubeconfig, Log: filepath.Join(t.TempDir(), "controller.log"), Env: env, Flags: flags,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, process: c, log: c.Log}
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("controller log:\n%s", p.log.Tail(60))
		}
		if strings.Contains(p.log.String(), "WARNING: DATA RACE") {
			t.Errorf("data race in the controller:\n%s", p.log.String())
		}
	})
	return p
}

// end is the quick way, unless coverage is measured: a process that is killed writes none.
func (p *process) end() {
	if os.Getenv(coverDir) == "" {
		p.process.Kill()
		return
	}
	if err := p.process.Stop(); err != nil {
		p.t.Error(err)
	}
}

// ready waits until the caches are synced.
func (p *process) ready() *process {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), longPatience)
	defer cancel()
	if _, err := p.process.Ready(ctx); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// kill ends the process as a crash would, and waits.
func (p *process) kill() { p.process.Kill() }

// terminate ends the process as the kubelet would, and waits; it returns the exit code.
func (p *process) terminate() int {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	return p.exit()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits until the process ends by itself and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.process.Ended():
	case <-time.After(longPatience):
		p.t.Fatalf("the controller did not end:\n%s", p.log.Tail(40))
	}
	return p.process.ExitCode()
}

// metric returns the sum of the samples of a metric whose series contains each of labels (such as verb="create"). A
// metric that is missing fails the test.
func (p *process) metric(name string, labels ...string) float64 {
	p.t.Helper()
	value, err := p.process.Metric(p.t.Context(), name, labels...)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// eventually waits until check returns nil, and fails with its last error after patience.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	eventuallyWithin(t, patience, check)
}

func eventuallyWithin(t *testing.T, d time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Fatalf("after %s: %v", d, err)
			}
			t.Fatal(err)
		case <-ticker.C:
		}
	}
}
