// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const controllerPackage = "github.com/fqdn-egress/fqdn-egress/cmd/fqdn-egress-controller"

// controller is the running binary.
type controller struct {
	cmd     *exec.Cmd
	health  string // base URL
	metrics string // base URL
	log     string // path
	ended   chan struct{}
}

// buildController compiles the binary of this repository into dir and says every few seconds that it still does.
func buildController(ctx context.Context, root, dir string, progress io.Writer) (string, error) {
	binary := filepath.Join(dir, "fqdn-egress-controller")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, controllerPackage)
	cmd.Dir = root
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	start, tick := time.Now(), time.NewTicker(5*time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return "", fmt.Errorf("%w\n%s", err, said.String())
			}
			return binary, nil
		case <-tick.C:
			fmt.Fprintf(progress, "fqdn-egress-controller: building, %.0f s (first time takes 1 to 2 minutes)\n", time.Since(start).Seconds())
		}
	}
}

// startController does not wait until it is ready.
func startController(binary, log, kubeconfig string, flags ...string) (*controller, error) {
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	health, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own copy
	args := append([]string{
		"--kubeconfig", kubeconfig, "--metrics-bind-address", metrics, "--health-probe-bind-address", health,
	}, flags...)
	c := &controller{
		cmd: exec.Command(binary, args...), health: "http://" + health, metrics: "http://" + metrics, log: log,
		ended: make(chan struct{}),
	}
	c.cmd.Stdout, c.cmd.Stderr = file, file
	c.cmd.SysProcAttr = childAttributes()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // that it ended is what matters; why is in its log
	}()
	return c, nil
}

// freeAddress returns an address that nobody listens on now. Somebody may take it first, as with every such function.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ready is the check that its caches are synced.
func (c *controller) ready(ctx context.Context) error {
	select {
	case <-c.ended:
		return fatal{errors.New("the controller ended")}
	default:
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.health+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", resp.Status)
	}
	return nil
}

// stop ends it as the kubelet would, and waits.
func (c *controller) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(20 * time.Second):
		err := c.cmd.Process.Kill()
		<-c.ended
		return errors.Join(errors.New("the controller did not end by itself"), err)
	}
}
