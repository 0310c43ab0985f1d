// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"time"
)

// Fence tells whether this process may still write. It is safe for concurrent use.
//
// A writer asks it after it has read what it is about to change. A stop before that question is answered by the Fence, and
// after one that comes later the API server refuses the write: another wrote meanwhile, and the resourceVersion is old.
type Fence interface {
	Steady(now time.Time) bool
}

// FenceInterval is how long a writer that may not write waits before it asks again; mostly the process has ended by then.
const FenceInterval = time.Second

// errStopped means that nothing was written, as the Fence said no.
var errStopped = errors.New("the process was stopped, and another may be the leader now")
