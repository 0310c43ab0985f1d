// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
)

// pod is one in which commands are run.
type pod struct {
	cluster         *cluster
	namespace, name string
}

// exec runs a command in the pod until it ends. When ctx ends first, the command goes on.
func (p pod) exec(ctx context.Context, stdin io.Reader, stdout io.Writer, command ...string) error {
	request := p.cluster.kube.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(p.namespace).Name(p.name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(p.cluster.config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: &stderr})
	if ctx.Err() != nil {
		return context.Cause(ctx) // the streams may still be written to
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// What curl(1) exits with when it gets no connection: the two ways in which network plugins block.
const (
	curlRefused  = 7
	curlTimedOut = 28
)

// What allowed and blocked find, as far as it is the policies' doing.
var (
	errKeptFrom = errors.New("kept from")
	errReaches  = errors.New("reaches")
)

// noConnection: curl knew the address and got no connection to it. A name that is not resolved in time is something else,
// though curl exits alike.
func noConnection(err error) bool {
	var exit utilexec.CodeExitError
	return errors.As(err, &exit) && (exit.Code == curlTimedOut || exit.Code == curlRefused) &&
		!strings.Contains(err.Error(), "Resolving timed out")
}

// curl requests a page and says who answered.
func (p pod) curl(ctx context.Context, timeout, url string, flags ...string) (answer string, err error) {
	var stdout bytes.Buffer
	command := []string{"curl", "--silent", "--show-error", "--globoff", "--fail", "--connect-timeout", timeout, "--max-time", timeout}
	err = p.exec(ctx, nil, &stdout, append(append(command, flags...), url)...)
	return strings.TrimSpace(stdout.String()), err
}

// allowed says why the pod does not get a page, if it does not.
func (p pod) allowed(ctx context.Context, url string) error {
	_, err := p.curl(ctx, "5", url)
	switch {
	case err == nil:
		return nil
	case noConnection(err):
		return fmt.Errorf("%s/%s: %w %s: %w", p.namespace, p.name, errKeptFrom, url, err)
	}
	return fmt.Errorf("%s/%s and %s: %w", p.namespace, p.name, url, err)
}

// notReached says how it can be that the pod gets a page, or gets none for another reason than that there was no connection.
func (p pod) notReached(ctx context.Context, url string) error { return p.reachesNot(ctx, url) }

// staysNotReached is notReached with three tries in 3 to 5 seconds.
func (p pod) staysNotReached(ctx context.Context, url string) error {
	return p.reachesNot(ctx, url, "--retry", "2", "--retry-delay", "1", "--retry-all-errors")
}

func (p pod) reachesNot(ctx context.Context, url string, flags ...string) error {
	answer, err := p.curl(ctx, "1", url, flags...)
	if err == nil {
		return fmt.Errorf("%s/%s %w %s: %q", p.namespace, p.name, errReaches, url, answer)
	}
	if !noConnection(err) {
		return fmt.Errorf("%s/%s does not reach %s, but not as a blocked one: %w", p.namespace, p.name, url, err)
	}
	return nil
}

// blocked is notReached for what a pod that no policy selects must reach at the same time: else it is not blocked but
// broken.
func (p pod) blocked(ctx context.Context, url string) error {
	return p.blockedAlone(ctx, url, p.notReached)
}

// staysBlocked is blocked with the tries of staysNotReached.
func (p pod) staysBlocked(ctx context.Context, url string) error {
	return p.blockedAlone(ctx, url, p.staysNotReached)
}

func (p pod) blockedAlone(ctx context.Context, url string, notReached func(context.Context, string) error) error {
	if err := notReached(ctx, url); err != nil {
		return err
	}
	if _, err := p.cluster.free.curl(ctx, "5", url); err != nil {
		return fmt.Errorf("%s is not blocked but broken: %w", url, err)
	}
	return nil
}
