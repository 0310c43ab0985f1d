// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
)

const (
	coreDNS       = "coredns"
	coreDNSModule = "github.com/coredns/coredns"
	coreDNSPin    = "test/kind/coredns" // the nested module that pins it
)

// CoreDNS returns the path of a CoreDNS binary, of the version that the clusters of the tests have. It is built, once, from
// its module into the user's cache directory, as [Assets] are.
func CoreDNS(ctx context.Context, progress io.Writer) (string, error) {
	b, err := newCoreDNSBuilder(progress)
	if err != nil {
		return "", err
	}
	if err := b.build(ctx, []string{coreDNS}); err != nil {
		return "", fmt.Errorf("building for the cluster's DNS: %w", err)
	}
	return filepath.Join(b.dir, coreDNS), nil
}

// InstalledCoreDNS returns the same path as [CoreDNS] but builds nothing; see [Installed].
func InstalledCoreDNS() (string, error) {
	b, err := newCoreDNSBuilder(io.Discard)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, coreDNS)
	if !isExecutable(path) {
		return "", fmt.Errorf("no %s: run `make control-plane` first", path)
	}
	return path, nil
}

func newCoreDNSBuilder(progress io.Writer) (builder, error) {
	root, err := Root()
	if err != nil {
		return builder{}, err
	}
	module := filepath.Join(root, coreDNSPin)
	version, err := requiredVersion(filepath.Join(module, "go.mod"), coreDNSModule)
	if err != nil {
		return builder{}, err
	}
	dir, err := cacheDir(coreDNS + "-" + version)
	return builder{module: module, ldflags: "-s -w", dir: dir, progress: progress}, err
}
