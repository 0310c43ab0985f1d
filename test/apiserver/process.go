// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to end by itself before it is killed.
const stopTimeout = 10 * time.Second

// managerFlags start only what API objects need on a cluster without nodes, without the pace of a busy cluster.
func managerFlags(kubeconfig string, port int) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller",
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}
}

// startControllerManager returns when it is healthy. dir holds its wrapper and gets its log.
func startControllerManager(ctx context.Context, dir, kubeconfig string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(dir, "start", controllerManager), managerFlags(kubeconfig, port)...)
	p, err := startProcess(cmd, filepath.Join(dir, controllerManager+".log"))
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", controllerManager, err)
	}
	if err := p.waitHealthy(ctx, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)); err != nil {
		err = fmt.Errorf("starting %s: %w\n%s", controllerManager, err, logTail(p.log))
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// freePort returns a port that nothing listens on now. Somebody may take it before it is used, as with every such function.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// process is a child whose output goes to a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // that it ended is what matters; why is in its log
	}()
	return p, nil
}

// waitHealthy asks url until it answers 200 OK, the process ends, or time is up.
func (p *process) waitHealthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// The certificate was made by the process itself, a moment ago and for loopback.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !isOK(ctx, client, url) {
		select {
		case <-p.done:
			return errors.New("ended before it was healthy")
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", url, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func isOK(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// stop ends the process and waits for it. A process that ended before is not an error.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
		return p.kill()
	}
}

func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// logTail returns the end of a log for an error message.
func logTail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s ends:\n%s", filepath.Base(path), lastLines(string(content), 20))
}
