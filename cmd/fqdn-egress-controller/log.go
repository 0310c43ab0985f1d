// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// newLogger returns a logger that drops no line. The one of controller-runtime drops most of the lines with the same message
// beyond a hundred a second; the lines about writes are a record of what was allowed when, and a start writes many.
func newLogger(options ...zap.Opts) logr.Logger {
	var all zapcore.Core
	options = append(options, zap.RawZapOpts(uberzap.WrapCore(func(core zapcore.Core) zapcore.Core {
		all = core // the sampler is put around it after this
		return core
	})))
	sampled := zap.NewRaw(options...)
	return zapr.NewLogger(sampled.WithOptions(uberzap.WrapCore(func(zapcore.Core) zapcore.Core { return all })))
}
