// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pause waits, for what measures and plays a part beside the controller.
package pause

import (
	"context"
	"time"
)

// For waits that long, or until ctx ends, whose error it returns then. It returns at once where d is not positive.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
