// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "syscall"

// loopback is where a child listens. No connection of a client takes its port from there: those are from 127.0.0.1.
const loopback = "127.0.0.2"

// childAttributes keep Ctrl-C from the child, which this process ends in its own order, and end the child when this
// process is killed and can do so no more.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
