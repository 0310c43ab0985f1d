// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// The looks of a line (ECMA-48 SGR parameters).
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

const indent = "   "

// narrator tells what happens, a line a thing. Colour only on a terminal that can, and not with NO_COLOR.
type narrator struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
	steps  int
}

func newNarrator(out *os.File) *narrator {
	return &narrator{out: out, colour: wantsColour(out)}
}

func wantsColour(out *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := out.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (n *narrator) paint(look, text string) string {
	if !n.colour || text == "" {
		return text
	}
	return "\x1b[" + look + "m" + text + "\x1b[0m"
}

func (n *narrator) print(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintln(n.out, text)
}

// title opens the demo.
func (n *narrator) title(text string) { n.print(n.paint(bold, text)) }

// step begins a step of the tour, told in one line.
func (n *narrator) step(text string) {
	n.steps++
	n.print("\n" + n.paint(bold+";"+cyan, fmt.Sprintf("%d. %s", n.steps, text)))
}

// remark is a line beside the steps.
func (n *narrator) remark(text string) { n.print(indent + text) }

// help is for a person who types.
func (n *narrator) help(text string) {
	for line := range strings.Lines(text) {
		n.remark(strings.TrimRight(line, "\n"))
	}
}

// plain prints text as it is.
func (n *narrator) plain(text string) { n.print(text) }

// command shows what was run.
func (n *narrator) command(line string) { n.print(indent + n.paint(dim, "$ ") + n.paint(bold, line)) }

// output shows what a command printed.
func (n *narrator) output(text string) {
	for line := range strings.Lines(text) {
		n.print(strings.TrimRight(indent+indent+line, " \n"))
	}
}

// changes shows what two outputs of one command differ in.
func (n *narrator) changes(lines []string) {
	for _, line := range lines {
		look := green
		if strings.HasPrefix(line, "-") {
			look = red
		}
		n.print(indent + indent + n.paint(look, line))
	}
}

// seen confirms what the code has checked.
func (n *narrator) seen(format string, args ...any) {
	n.print(indent + n.paint(green, "ok") + " " + fmt.Sprintf(format, args...))
}

func (n *narrator) failed(err error) {
	n.print("\n" + n.paint(bold+";"+red, "FAILED: ") + err.Error())
}

// log shows the end of the controller's log, if there is one.
func (n *narrator) log(tail string) {
	if tail != "" {
		n.print("\nThe controller's log ends:\n" + tail)
	}
}

// timed tells how long something took that has nothing else to show.
func (n *narrator) timed(what string, do func() error) error {
	start := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	n.print(indent + n.paint(green, "ok") + " " + what + n.paint(dim, fmt.Sprintf(" (%.1f s)", time.Since(start).Seconds())))
	return nil
}

// Write takes the progress of a build.
func (n *narrator) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		n.print(indent + n.paint(dim, ".. "+strings.TrimSpace(line)))
	}
	return len(b), nil
}
