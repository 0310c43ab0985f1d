// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const patience = 10 * time.Second

// role says what this test binary does when a test starts it as a child.
const role = "FQDN_EGRESS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "fails":
		fmt.Println("what went wrong")
		os.Exit(3)
	case "ends on SIGTERM":
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		fmt.Println("started")
		<-terminated
	case "parent": // of a child that has the other end of the pipe that it got itself
		cmd := self("ends on SIGTERM")
		cmd.ExtraFiles = []*os.File{os.NewFile(3, "pipe")}
		if _, err := StartChild(cmd, os.Getenv("CHILD_LOG")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	}
}

func self(as string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+as)
	return cmd
}

func startSelf(t *testing.T, as string) *Child {
	t.Helper()
	c, err := StartChild(self(as), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// waitForLog waits until a child printed a text.
func waitForLog(t *testing.T, log Log, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(log.String(), text); {
		if time.Now().After(end) {
			t.Fatalf("no %q in the log: %s", text, log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestChildThatEndsIsAFailureWithItsLog(t *testing.T) {
	c := startSelf(t, "fails")
	if code := c.ExitCode(); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if err := c.Failure(); err == nil || !strings.Contains(err.Error(), "what went wrong") {
		t.Errorf("failure: %v; want the log", err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
	if err := c.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to what has ended: %v", err)
	}
}

func TestStopWaitsForAnOrderlyEnd(t *testing.T) {
	c := startSelf(t, "ends on SIGTERM")
	waitForLog(t, c.Log, "started")
	if err := c.Failure(); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if code := c.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestPeakMemoryOfAChild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells it")
	}
	c := startSelf(t, "ends on SIGTERM")
	waitForLog(t, c.Log, "started")
	if peak, err := c.PeakMemory(); err != nil || peak < 1<<20 || peak > 1<<30 {
		t.Errorf("%v bytes, %v", peak, err)
	}
	c.Kill()
	if peak, err := c.PeakMemory(); err == nil {
		t.Errorf("it ended, and has %v bytes", peak)
	}
}

func TestKillIsACrash(t *testing.T) {
	c := startSelf(t, "ends on SIGTERM")
	c.Kill()
	if code := c.ExitCode(); code != -1 {
		t.Errorf("exit code %d, want -1: by a signal", code)
	}
	c.Kill() // once more is no harm
}

func TestChildEndsWhenItsParentIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died")
	}
	alive, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	log := filepath.Join(t.TempDir(), "log")
	parent := self("parent")
	parent.Env = append(parent.Env, "CHILD_LOG="+log)
	parent.ExtraFiles = []*os.File{held}
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := errors.Join(parent.Start(), held.Close()); err != nil {
		t.Fatal(err)
	}
	waitForLog(t, Log(log), "started")
	_ = parent.Process.Kill()
	_ = parent.Wait()
	if err := alive.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := alive.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the child still has its end of the pipe: %v", err)
	}
}

func TestReadyWaitsAndFailsWhenTheProcessEnds(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "not yet", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	p := &Process{Child: startSelf(t, "ends on SIGTERM"), Health: server.URL}
	if _, err := p.Ready(t.Context()); err != nil || asked.Load() != 3 {
		t.Errorf("%v after %d questions", err, asked.Load())
	}
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Ready(ctx); err == nil {
		t.Error("ready without an answer")
	}
	p.Kill()
	if _, err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("ended, and Ready says: %v", err)
	}
}

func TestMetric(t *testing.T) {
	const page = `# HELP writes_total Writes.
# TYPE writes_total counter
writes_total{resource="a",verb="create"} 2
writes_total{resource="b",verb="create"} 3
writes_total{resource="b",verb="delete"} 0
writes_total_other 9
seconds 1.5e-3
`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }))
	defer server.Close()
	p := &Process{Metrics: server.URL}
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
		fails  bool
	}{
		{name: "seconds", want: 0.0015},
		{name: "writes_total", want: 5},
		{name: "writes_total", labels: []string{`resource="b"`}, want: 3},
		{name: "writes_total", labels: []string{`resource="b"`, `verb="delete"`}, want: 0},
		{name: "writes_total", labels: []string{`resource="c"`}, fails: true},
		{name: "writes", fails: true},
	} {
		got, err := p.Metric(t.Context(), tc.name, tc.labels...)
		if got != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s %q: %v, %v", tc.name, tc.labels, got, err)
		}
	}
}
