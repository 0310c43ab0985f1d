// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

// startProfile takes a CPU profile of the controller and of the API server from now on, and returns a function that waits
// for their end and takes a heap profile of the controller too. Without --profile it does nothing.
func (t *trial) startProfile(ctx context.Context, name string, d time.Duration) (finish func() error) {
	if t.options.profile == "" {
		return func() error { return nil }
	}
	path := fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(d.Seconds()))
	var profiles errgroup.Group
	profiles.Go(func() error { return t.save(ctx, http.DefaultClient, t.controller.Pprof+path, name+".cpu") })
	profiles.Go(func() error {
		admin, err := rest.HTTPClientFor(t.plane.Config)
		if err != nil {
			return err
		}
		return t.save(ctx, admin, strings.TrimSuffix(t.plane.Config.Host, "/")+path, name+".apiserver.cpu")
	})
	return func() error { return errors.Join(profiles.Wait(), t.heapProfile(ctx, name)) }
}

// heapProfile writes what is in use and what was allocated since the start (go tool pprof -sample_index=alloc_space).
func (t *trial) heapProfile(ctx context.Context, name string) error {
	if t.options.profile == "" {
		return nil
	}
	return t.save(ctx, http.DefaultClient, t.controller.Pprof+"/debug/pprof/heap?gc=1", name+".heap")
}

func (t *trial) save(ctx context.Context, client *http.Client, url, name string) error {
	body, err := get(ctx, client, url)
	if err != nil {
		return fmt.Errorf("profiling: %w", err)
	}
	defer body.Close()
	if err := os.MkdirAll(t.options.profile, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(t.options.profile, name))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// cpuSeconds is what the controller has used so far, user and system.
func (t *trial) cpuSeconds(ctx context.Context) (float64, error) {
	return t.controller.Metric(ctx, "process_cpu_seconds_total")
}

// collectGarbage makes the controller run its garbage collector, and returns how many bytes of its heap are in use then. The page says
// that as of before it allocates what it is made of: megabytes, where many places allocate, which a metric read later would have in it.
func (t *trial) collectGarbage(ctx context.Context) (heap float64, err error) {
	body, err := get(ctx, http.DefaultClient, t.controller.Pprof+"/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	page, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(page), "\n# HeapAlloc = ")
	number, _, _ := strings.Cut(rest, "\n")
	if heap, err = strconv.ParseFloat(number, 64); err != nil {
		return 0, fmt.Errorf("the heap in use: %w", err)
	}
	return heap, nil
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
