// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one running controller binary.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	metrics string // base URL
	health  string // base URL
	log     *logBuffer
	ended   chan struct{}
}

// start runs the controller against the control plane; flags come after those that every test needs. It does not wait.
func start(t *testing.T, kubeconfig string, flags ...string) *process {
	t.Helper()
	metrics, health := freeAddress(t), freeAddress(t)
	args := append([]string{
		"--kubeconfig", kubeconfig, "--metrics-bind-address", metrics, "--health-probe-bind-address", health,
	}, flags...)
	p := &process{
		t: t, cmd: exec.Command(controllerBinary, args...), metrics: "http://" + metrics, health: "http://" + health,
		log: &logBuffer{}, ended: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	diesWithUs(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is read from ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("controller log:\n%s", p.log.tail(60))
		}
		if strings.Contains(p.log.String(), "WARNING: DATA RACE") {
			t.Errorf("data race in the controller:\n%s", p.log.String())
		}
	})
	return p
}

// freeAddress returns an address to listen on. It is on 127.0.0.2, where no client connection takes ports from.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ready waits until the caches are synced.
func (p *process) ready() *process {
	p.t.Helper()
	eventually(p.t, func() error {
		select {
		case <-p.ended:
			return fmt.Errorf("the controller ended: %s", p.log.tail(20))
		default:
		}
		resp, err := http.Get(p.health + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", resp.Status)
		}
		return nil
	})
	return p
}

// kill ends the process as a crash would, and waits.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// terminate ends the process as the kubelet would, and waits; it returns the exit code.
func (p *process) terminate() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.exit()
}

// exit waits until the process ends by itself and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("the controller did not end:\n%s", p.log.tail(40))
	}
	return p.cmd.ProcessState.ExitCode()
}

// metric returns the sum of the samples of a metric whose line contains all of labels (such as verb="create").
func (p *process) metric(name string, labels ...string) float64 {
	p.t.Helper()
	resp, err := http.Get(p.metrics + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	sum, err := sumOf(resp.Body, name, labels)
	if err != nil {
		p.t.Fatal(err)
	}
	return sum
}

func sumOf(r io.Reader, name string, labels []string) (float64, error) {
	sum, lines := 0.0, bufio.NewScanner(r)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		base, _, _ := strings.Cut(series, "{")
		if !ok || base != name {
			continue
		}
		matches := true
		for _, l := range labels {
			matches = matches && strings.Contains(series, l)
		}
		if !matches {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, lines.Err()
}

// eventually waits until check returns nil, and fails with its last error.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
				t.Fatalf("after %s: %v", patience, err)
			}
			t.Fatal(err)
		case <-ticker.C:
		}
	}
}

// logBuffer holds what a process prints.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
