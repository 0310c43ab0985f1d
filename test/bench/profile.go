// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// startProfile takes a CPU profile of the controller from now on, and returns a function that waits for its end and takes
// a heap profile too. Without --profile it does nothing.
func (t *trial) startProfile(ctx context.Context, name string, d time.Duration) (finish func() error) {
	if t.options.profile == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", t.controller.pprof, int(d.Seconds()))
		done <- t.save(ctx, url, name+".cpu")
	}()
	return func() error { return errors.Join(<-done, t.heapProfile(ctx, name)) }
}

// heapProfile writes what is in use and what was allocated since the start (go tool pprof -sample_index=alloc_space).
func (t *trial) heapProfile(ctx context.Context, name string) error {
	if t.options.profile == "" {
		return nil
	}
	return t.save(ctx, t.controller.pprof+"/debug/pprof/heap?gc=1", name+".heap")
}

func (t *trial) save(ctx context.Context, url, name string) error {
	body, err := get(ctx, url)
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
