// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// auditPolicy logs every request that would write, once, when it has been answered. Nothing about what it said.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted, Panic]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// auditLog is what the API server says of each write. It is exact where counting versions of objects is not: failed
// writes and writes of other kinds, events among them, are in it.
type auditLog struct{ path string }

// newAuditLog returns the log and the flags that make kube-apiserver write it.
func newAuditLog(dir string) (*auditLog, map[string]string, error) {
	policy := filepath.Join(dir, "audit-policy.yaml")
	a := &auditLog{path: filepath.Join(dir, "audit.log")}
	flags := map[string]string{
		"audit-policy-file":  policy,
		"audit-log-path":     a.path,
		"audit-log-maxsize":  "10000", // MB, so that it is never rotated
		"audit-log-compress": "false",
	}
	return a, flags, os.WriteFile(policy, []byte(auditPolicy), 0o600)
}

// mark is a place in the log.
type mark int64

// now returns the end of the log.
func (a *auditLog) now() (mark, error) {
	info, err := os.Stat(a.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return mark(info.Size()), nil
}

// writes counts what the controller wrote.
type writes struct {
	byKind map[string]int // "create networkpolicies", or "create networkpolicies 409" for one that failed
	last   time.Time      // when the API server had answered the last one; its wall clock
}

func (w writes) total() int {
	total := 0
	for _, n := range w.byKind {
		total += n
	}
	return total
}

func (w writes) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(w.byKind)) {
		parts = append(parts, fmt.Sprintf("%d %s", w.byKind[kind], kind))
	}
	return strings.Join(parts, ", ")
}

// since returns the controller's writes after a mark. A write is in the log shortly after its answer: call it when
// nothing has been written for a while.
func (a *auditLog) since(m mark) (writes, error) {
	f, err := os.Open(a.path)
	if err != nil {
		return writes{}, err
	}
	defer f.Close()
	if _, err := f.Seek(int64(m), io.SeekStart); err != nil {
		return writes{}, err
	}
	w := writes{byKind: map[string]int{}}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return w, nil
		}
		if err != nil {
			return writes{}, err
		}
		if bytes.Contains(line, []byte(controllerUser)) {
			if err := w.add(line); err != nil {
				return writes{}, err
			}
		}
	}
}

// add counts one line of the log.
func (w *writes) add(line []byte) error {
	var event struct {
		Verb      string
		User      struct{ Username string }
		ObjectRef struct {
			Resource, Subresource string
		}
		ResponseStatus struct{ Code int }
		StageTimestamp time.Time
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	if event.User.Username != controllerUser {
		return nil
	}
	kind := event.Verb + " " + event.ObjectRef.Resource
	if event.ObjectRef.Subresource != "" {
		kind += "/" + event.ObjectRef.Subresource
	}
	if event.ResponseStatus.Code >= 300 {
		kind += fmt.Sprintf(" %d", event.ResponseStatus.Code)
	}
	w.byKind[kind]++
	w.last = event.StageTimestamp
	return nil
}
