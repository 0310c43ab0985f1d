// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// fakeAssets returns a directory in which each binary is a script with this body.
func fakeAssets(t *testing.T, body string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newGuard watches over a directory whose etcd says that it runs and then waits for ever. It returns that process.
func newGuard(t *testing.T) (*guard, *exec.Cmd) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "control plane") // a blank, so that quoting is tried
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	g, err := startGuard(dir, fakeAssets(t, "echo up $1; exec sleep 1000", binaryNames()...))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(g.wrapped(etcd), "--flag=two words")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line := make([]byte, len("up --flag=two words\n"))
	if _, err := out.Read(line); err != nil || string(line) != "up --flag=two words\n" {
		t.Fatalf("the wrapped binary said %q, %v", line, err)
	}
	return g, cmd
}

// onlyCoreutils takes all programs away but those that every Debian has.
func onlyCoreutils(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"cat", "rm", "sleep"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestGuardCleansUpAfterAKilledParent(t *testing.T) {
	onlyCoreutils(t)
	g, cmd := newGuard(t)
	if err := g.stop(); err != nil { // closes the pipe and nothing else, as the kernel does for a killed process
		t.Fatal(err)
	}
	overdue := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // not for ever, and no SIGKILL
	defer overdue.Stop()
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the wrapped process ended with %v, want killed", err)
	}
	if _, err := os.Stat(g.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v, want it gone", err)
	}
}

func TestGuardKillsNothingAfterAnOrderlyStop(t *testing.T) {
	g, cmd := newGuard(t)
	if err := os.RemoveAll(g.dir); err != nil { // as Server.Stop does once all has ended; the number may be somebody else's by now
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the process: %v, want it alive", err)
	}
}
