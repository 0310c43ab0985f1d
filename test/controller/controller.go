// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// readyPoll is how often a controller is asked whether it is ready, and so how exact the time to ready is.
const readyPoll = 5 * time.Millisecond

// Options says what [Start] starts.
type Options struct {
	Binary     string   // as [Build] returned it
	Kubeconfig string   // a path
	Log        string   // the file to write the log to
	Flags      []string // come after those that Start gives, so that they win
	Env        []string // "NAME=value", beside those of this process
	Profiles   bool     // serve pprof
}

// Process is a controller that runs.
type Process struct {
	*Child

	Metrics, Health string // base URLs
	Pprof           string // base URL, empty without Options.Profiles
}

// Start does not wait until the controller is ready.
func Start(o Options) (*Process, error) {
	p := &Process{}
	args := []string{"--kubeconfig", o.Kubeconfig}
	listeners := []struct {
		flag string
		url  *string
	}{
		{"--metrics-bind-address", &p.Metrics}, {"--health-probe-bind-address", &p.Health}, {"--pprof-bind-address", &p.Pprof},
	}
	if !o.Profiles {
		listeners = listeners[:2]
	}
	for _, l := range listeners {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		*l.url = "http://" + address
		args = append(args, l.flag, address)
	}
	var err error
	cmd := exec.Command(o.Binary, append(args, o.Flags...)...)
	cmd.Env = append(os.Environ(), o.Env...)
	p.Child, err = StartChild(cmd, o.Log)
	return p, err
}

// freeAddress returns an address that nobody listens on now. Somebody may take it first, as with every such function.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Ready waits until the controller says that it is ready, and returns how long after its start that was. It fails at once
// when the process ends.
func (p *Process) Ready(ctx context.Context) (time.Duration, error) {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		_, err := get(ctx, p.Health+"/readyz")
		if err == nil {
			return time.Since(p.Started), nil
		}
		select {
		case <-tick.C:
		case <-p.Ended():
			return 0, p.Failure()
		case <-ctx.Done():
			return 0, fmt.Errorf("waiting until the controller is ready: %w: %s", err, p.Log.Tail(logTailLines))
		}
	}
}

// Metric returns the sum of the samples of a metric whose series contains each of labels, such as `verb="create"`. It is
// an error if there is no such sample: a name that is misspelt or was changed must not read as zero.
func (p *Process) Metric(ctx context.Context, name string, labels ...string) (float64, error) {
	page, err := get(ctx, p.Metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	return Sum(page, name, labels...)
}

// get returns the body of a 200 answer.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), err
}
