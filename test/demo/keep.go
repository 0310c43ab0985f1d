// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// keep leaves everything running, with the samples applied anew, until ctx ends or somebody types quit.
func keep(ctx context.Context, w *world, in io.Reader) error {
	setAnswers(w.dns)
	w.say.step("It stays, with the samples applied again. In another terminal:")
	if _, err := w.kubectl(ctx, "apply", "-k", samples); err != nil {
		return err
	}
	w.say.plain("")
	w.say.output("export KUBECONFIG=" + w.plane.Kubeconfig + "\n" +
		"kubectl -n " + namespace + " get fep,networkpolicy\n" +
		"tail -f " + string(w.controller.Log) + "\n" +
		"curl -s " + w.controller.Metrics + "/metrics | grep ^fqdn_egress\n")
	w.say.remark("(a kubectl is in " + w.plane.Assets + ")\n")
	w.say.help(steerHelp)
	lines, steer := readLines(in), steering{dns: w.dns, broken: map[string]bool{}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			if !more { // no terminal: only a signal ends it
				lines = nil
				continue
			}
			err := steer.do(strings.Fields(line))
			if errors.Is(err, errQuit) {
				return nil
			}
			if err != nil {
				w.say.help(err.Error())
			}
		}
	}
}

// readLines reads for as long as the process lives: a read from a terminal cannot be cut short.
func readLines(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}
