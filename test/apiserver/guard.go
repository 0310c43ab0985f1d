// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// guardScript waits until its standard input ends, which happens when the process that holds the other end ends, and then
// kills what the wrappers started and removes the directory. After an orderly stop the directory is gone already. kill is
// the shell's own: the program of that name comes with procps, which a bare Debian has not.
const guardScript = `cat >/dev/null
for file in "$1"/start/*.pid; do
	read -r pid <"$file" && kill -9 "$pid"
done 2>/dev/null
rm -rf "$1"
`

// wrapperScript notes its process number where the guard looks, and becomes the binary of the same name.
const wrapperScript = `#!/bin/sh
echo $$ >"$0.pid"
exec "${0%/start/*}/bin/${0##*/}" "$@"
`

// guard ends the parts of a control plane when this process ends without doing so: killed, timed out by `go test`, or
// panicking. envtest starts etcd and kube-apiserver in process groups of their own and gives no hold on them, so each
// is started through a wrapper that leaves its process number. A parent-death signal would do on Linux only, and would
// leave the data behind.
type guard struct {
	dir   string
	cmd   *exec.Cmd
	input io.Closer
}

// startGuard puts the wrappers of the binaries in assets into dir and starts to watch over dir.
func startGuard(dir, assets string) (*guard, error) {
	for _, sub := range []string{"start", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	g := &guard{dir: dir}
	for _, name := range binaryNames() {
		if err := os.Symlink(filepath.Join(assets, name), filepath.Join(dir, "bin", name)); err != nil {
			return nil, err
		}
		if err := os.WriteFile(g.wrapped(name), []byte(wrapperScript), 0o700); err != nil {
			return nil, err
		}
	}
	g.cmd = exec.Command("/bin/sh", "-c", guardScript, "guard", dir)
	g.cmd.SysProcAttr = ownGroup() // Ctrl-C in a terminal must not reach it before it has done its work
	input, err := g.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	g.input = input
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard of the control plane: %w", err)
	}
	return g, nil
}

// wrapped is the path by which to start a binary.
func (g *guard) wrapped(name string) string {
	return filepath.Join(g.dir, "start", name)
}

func (g *guard) stop() error {
	if err := g.input.Close(); err != nil {
		return err
	}
	return g.cmd.Wait()
}

func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
