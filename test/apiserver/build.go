// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// progressEvery is how often a running build says that it still runs.
const progressEvery = 10 * time.Second

// builder compiles binaries that a nested module pins.
type builder struct {
	module   string // directory of the module
	ldflags  string
	dir      string // where the binaries go
	progress io.Writer
}

// newBuilder reads the versions that this repository pins.
func newBuilder(progress io.Writer) (builder, error) {
	root, err := Root()
	if err != nil {
		return builder{}, err
	}
	module := filepath.Join(root, binariesModule)
	v, err := readVersions(filepath.Join(module, "go.mod"))
	if err != nil {
		return builder{}, err
	}
	dir, err := v.cacheDir()
	return builder{module: module, ldflags: v.ldflags(), dir: dir, progress: progress}, err
}

// build makes what of names is not there yet. The lock lets a second process wait for the first and find its work done.
func (b builder) build(ctx context.Context, names []string) error {
	if err := os.MkdirAll(b.dir, 0o750); err != nil {
		return err
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range names {
		if isExecutable(filepath.Join(b.dir, name)) {
			continue
		}
		if err := b.buildOne(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// lock takes the cache directory for this process. The kernel drops the lock when the process ends, however it ends.
func (b builder) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(b.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	var said time.Time
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", f.Name(), err), f.Close())
		}
		if time.Since(said) >= progressEvery {
			said = time.Now()
			fmt.Fprintf(b.progress, "%s: another process is building, waiting\n", filepath.Base(b.dir))
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// buildOne compiles beside the target and renames, so that a build that is cut off leaves nothing that looks complete.
func (b builder) buildOne(ctx context.Context, name string) error {
	target := filepath.Join(b.dir, name)
	tmp := filepath.Join(b.dir, "."+name+".tmp")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", b.ldflags, "-o", tmp, packageOf(name))
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = progressEvery
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output

	start := time.Now()
	if err := b.runWithProgress(cmd, name, start); err != nil {
		return errors.Join(fmt.Errorf("%w\n%s", err, lastLines(output.String(), 20)), removeIfThere(tmp))
	}
	if err := os.Rename(tmp, target); err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "%s: built in %s\n", name, time.Since(start).Round(time.Second))
	return nil
}

func (b builder) runWithProgress(cmd *exec.Cmd, name string, start time.Time) error {
	fmt.Fprintf(b.progress, "%s: building (%s)\n", name, expectation(name))
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			fmt.Fprintf(b.progress, "%s: building, %s (%s)\n", name, time.Since(start).Round(time.Second), expectation(name))
		}
	}
}

// expectation says how long the first build takes: downloads included, on two cores. Later ones share its objects.
func expectation(name string) string {
	switch name {
	case etcd:
		return "first time takes 1 to 2 minutes"
	case kubeAPIServer:
		return "first time takes 5 to 9 minutes"
	default:
		return "first time takes up to 2 minutes"
	}
}

func packageOf(name string) string {
	switch name {
	case etcd:
		return "go.etcd.io/etcd/server/v3"
	case coreDNS:
		return coreDNSModule
	}
	return "k8s.io/kubernetes/cmd/" + name
}

// ldflags gives the binaries the version that a release build of Kubernetes would have. Without it kube-apiserver says
// v0.0.0 and kubectl warns of version skew.
func (v versions) ldflags() string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(v.kubernetes, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	flags := []string{"-s", "-w"}
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+p+".gitVersion="+v.kubernetes, "-X "+p+".gitMajor="+major, "-X "+p+".gitMinor="+minor)
	}
	return strings.Join(flags, " ")
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lastLines returns the last n lines of s, where a program says what went wrong.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
