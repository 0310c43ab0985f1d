// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"os"
	"path/filepath"
)

// binariesModule is the nested module whose go.mod pins the versions of the control plane, seen from the repository.
const binariesModule = "test/apiserver/binaries"

// Root returns the directory of this repository: the working directory or the nearest one above it that holds the
// module of the control plane's binaries. `go test` and `go run` start programs inside the repository, so they find it
// wherever it was cloned to.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, binariesModule, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no " + binariesModule + " here or above: run this inside a clone of the repository")
		}
		dir = parent
	}
}
