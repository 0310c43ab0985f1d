// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// controller is the running process that is measured.
type controller struct {
	cmd   *exec.Cmd
	log   string // a file
	ended chan struct{}
}

// buildController builds it as it is shipped: without the race detector.
func buildController(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "fqdn-egress-controller")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/fqdn-egress/fqdn-egress/cmd/fqdn-egress-controller")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the controller: %w\n%s", err, out)
	}
	return binary, nil
}

func startController(binary, dir, kubeconfig string, upstreams, flags []string) (*controller, error) {
	args := []string{"--kubeconfig", kubeconfig, "--upstreams", strings.Join(upstreams, ","),
		"--metrics-bind-address", "0", "--health-probe-bind-address", "0"}
	cmd := exec.Command(binary, append(args, flags...)...)
	return startProcess(cmd, filepath.Join(dir, "controller.log"))
}

// startProcess starts a process that ends with this one at the latest, and logs to a file.
func startProcess(cmd *exec.Cmd, path string) (*controller, error) {
	log, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	c := &controller{cmd: cmd, log: path, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_ = cmd.Wait() // why it ended is in its log
	}()
	return c, nil
}

func (c *controller) kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
}

// failure is nil while the process runs.
func (c *controller) failure() error {
	select {
	case <-c.ended:
		content, err := os.ReadFile(c.log)
		if err != nil {
			return err
		}
		return fmt.Errorf("%s ended: %s", c.cmd.Path, content[max(0, len(content)-2000):])
	default:
		return nil
	}
}

// freeAddress returns an address that is free for UDP and TCP.
func freeAddress() (string, error) {
	for {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		address := conn.LocalAddr().String()
		l, err := net.Listen("tcp", address)
		_ = conn.Close()
		if err == nil {
			return address, l.Close()
		}
	}
}
