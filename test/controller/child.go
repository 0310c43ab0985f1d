// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to end by itself before it is killed: the grace period that the kubelet
// gives it, less a margin.
const stopTimeout = 20 * time.Second

// logTailLines is how much of a log an error holds.
const logTailLines = 30

// Log is the path of a file that a process writes to.
type Log string

// String returns the content. A file that cannot be read gives the error in its place.
func (l Log) String() string {
	content, err := os.ReadFile(string(l))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// Tail returns the last n lines.
func (l Log) Tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Child is a process that ends with this one at the latest: on Linux even if this one is killed. Its methods are safe for
// concurrent use.
type Child struct {
	// Log has its standard output and its standard error.
	Log Log

	// Started is when it was started.
	Started time.Time

	cmd   *exec.Cmd
	ended chan struct{}
}

// StartChild starts cmd, which must not have been started, and lets it write to the file log.
func StartChild(cmd *exec.Cmd, log string) (*Child, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = childAttributes()
	c := &Child{Log: Log(log), Started: time.Now(), cmd: cmd, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(c.ended)
		_ = cmd.Wait() // the exit code is in ProcessState, the reason in the log
	}()
	return c, nil
}

// Ended is closed when the process has ended.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// ExitCode waits until the process ends and returns its exit code, -1 if a signal ended it.
func (c *Child) ExitCode() int {
	<-c.ended
	return c.cmd.ProcessState.ExitCode()
}

// Failure is nil while the process runs. Afterwards it is an error with the end of the log.
func (c *Child) Failure() error {
	select {
	case <-c.ended:
		return fmt.Errorf("%s ended (%s): %s", c.cmd.Path, c.cmd.ProcessState, c.Log.Tail(logTailLines))
	default:
		return nil
	}
}

// Signal sends a signal to the process. It is an error if the process has ended.
func (c *Child) Signal(s os.Signal) error { return c.cmd.Process.Signal(s) }

// PeakMemory is the most that the process, which must run, had resident so far, in bytes. Linux alone tells it.
func (c *Child) PeakMemory() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kilobytes); err == nil {
			return kilobytes * 1024, nil
		}
	}
	return 0, errors.New("the kernel tells no peak of the memory")
}

// Kill ends the process as a crash would, and waits.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // it may be gone already
	<-c.ended
}

// Stop ends the process as the kubelet would, and waits. A process that ended before is no error. One that does not end
// by itself is killed, and that is an error.
func (c *Child) Stop() error {
	if err := c.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopTimeout):
		c.Kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", c.cmd.Path, stopTimeout)
	}
}
