// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// childAttributes keep Ctrl-C from the child, which is stopped in order, and end it with us should we be killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
