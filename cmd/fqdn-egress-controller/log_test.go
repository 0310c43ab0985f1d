// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

func TestLoggerDropsNoLine(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(zap.WriteTo(&out))
	const lines = 1000
	for i := range lines {
		log.Info("Wrote NetworkPolicy", "policy", i)
	}
	if got := bytes.Count(out.Bytes(), []byte("\n")); got != lines {
		t.Errorf("%d lines of %d were printed", got, lines)
	}
}
