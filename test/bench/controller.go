// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyTimeout is how long the controller may take to become ready.
const readyTimeout = time.Minute

// readyPoll is how often it is asked, and so how exact the time to ready is.
const readyPoll = 5 * time.Millisecond

// controller is one running controller process.
type controller struct {
	cmd                    *exec.Cmd
	metrics, health, pprof string // base URLs
	log                    string // a file
	started                time.Time
	ended                  chan struct{}
}

// startController does not wait until it is ready.
func (b *bench) startController(upstream string, flags ...string) (*controller, error) {
	c := &controller{log: filepath.Join(b.dir, "controller.log"), ended: make(chan struct{})}
	args := []string{"--kubeconfig", b.access.Kubeconfig, "--upstreams", upstream}
	for _, listener := range []struct {
		flag string
		url  *string
	}{
		{"--metrics-bind-address", &c.metrics}, {"--health-probe-bind-address", &c.health}, {"--pprof-bind-address", &c.pprof},
	} {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		*listener.url = "http://" + address
		args = append(args, listener.flag, address)
	}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	c.cmd = exec.Command(b.binary, append(append(args, b.options.controllerFlags...), flags...)...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the controller: %w", err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // why it ended is in its log
	}()
	return c, nil
}

// freeAddress returns an address to listen on. It is on 127.0.0.2, where no client connection takes ports from.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ready waits until the controller says so, and returns how long after its start that was.
func (c *controller) ready(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		body, err := get(ctx, http.DefaultClient, c.health+"/readyz")
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			return time.Since(c.started), errors.Join(err, body.Close())
		}
		select {
		case <-tick.C:
		case <-c.ended:
			return 0, fmt.Errorf("the controller ended: %s", c.logTail())
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting until the controller is ready: %w: %s", err, c.logTail())
		}
	}
}

// kill ends the controller as a crash would.
func (c *controller) kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
}

func (c *controller) logTail() string {
	content, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-2000):])
}

// metric returns the value of a metric without labels.
func (c *controller) metric(ctx context.Context, name string) (float64, error) {
	body, err := get(ctx, http.DefaultClient, c.metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("no metric %s", name), lines.Err())
}

// cpuSeconds is what the process has used so far, user and system.
func (c *controller) cpuSeconds(ctx context.Context) (float64, error) {
	return c.metric(ctx, "process_cpu_seconds_total")
}

// collectGarbage makes the controller run its garbage collector.
func (c *controller) collectGarbage(ctx context.Context) error {
	body, err := get(ctx, http.DefaultClient, c.pprof+"/debug/pprof/heap?gc=1")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	return errors.Join(err, body.Close())
}

// get returns the body of a 200 answer.
func get(ctx context.Context, client *http.Client, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", url, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}
