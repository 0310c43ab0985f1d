// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// watch is told when a lock that others wait for was taken and is about to be given back. Only benchmarks set one.
type watch struct{ taken, given func() }

func (w *watch) take() {
	if w != nil {
		w.taken()
	}
}

func (w *watch) give() {
	if w != nil {
		w.given()
	}
}
