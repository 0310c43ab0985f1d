// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package controller

import "syscall"

// loopback is where a child listens. Elsewhere than on Linux the rest of 127.0.0.0/8 is not there.
const loopback = "127.0.0.1"

// childAttributes leave the child in the group of this process, so that Ctrl-C ends both: a parent's death sends no signal.
func childAttributes() *syscall.SysProcAttr { return nil }
