// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how exactly times are told.
const pollEvery = 10 * time.Millisecond

// fatal is an error of a check that no waiting can mend.
type fatal struct{ error }

// await looks again and again until check returns nil, and returns when that was. Its error says what was waited for and
// what was there instead.
func await(ctx context.Context, what string, patience time.Duration, check func(context.Context) error) (time.Time, error) {
	inner, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := check(inner)
		if err == nil {
			return time.Now(), nil
		}
		if _, hopeless := errors.AsType[fatal](err); hopeless {
			return time.Time{}, fmt.Errorf("waiting for %s: %w", what, err)
		}
		if inner.Err() == nil {
			last = err // or the last word would be that time is up
		}
		select {
		case <-tick.C:
		case <-inner.Done():
			if ctx.Err() != nil {
				return time.Time{}, ctx.Err()
			}
			return time.Time{}, fmt.Errorf("waited %s for %s: %w", patience, what, last)
		}
	}
}
