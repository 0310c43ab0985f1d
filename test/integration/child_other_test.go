// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package integration

import "os/exec"

// diesWithUs does nothing where a parent's death sends no signal; cleanups end the child.
func diesWithUs(*exec.Cmd) {}
