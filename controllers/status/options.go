// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import "time"

// When a status is written; docs/design.md says why.
const (
	interval        = 5 * time.Second        // between two writes of the status of one policy
	foldInterval    = time.Second            // between two looks at whether it differs
	firstStatusWait = 200 * time.Millisecond // the first status of a generation waits that long for names: mostly it is the last then
	restartPatience = time.Minute            // what the status says of a name outlasts a start by that while DNS answers others
	disputeWait     = time.Minute            // LimitReached and Contested turn Ready False after that
	retryWait       = time.Second            // after a write that found another version of the policy, or none

	// A status waits for the rules of all policies that wait to be written, but not for ever: tools wait for the first one.
	maxWaitForRules      = 5 * time.Second
	maxWaitForRulesFirst = time.Second
)
