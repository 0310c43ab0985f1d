// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import "math"

// roomsOf returns how many addresses each object may have. The peers that must stand in the first object count there. A
// name after the first that a Foreign object has is passed over; the first name is needed whoever has it, so the addresses
// that belong there wait for it.
func roomsOf(in *Input, w *wanted, l *live) []int {
	room := make([]int, in.MaxObjects)
	for i := range room {
		if i == 0 || !l.foreign[i] {
			room[i] = in.MaxPeers
		}
	}
	room[0] = max(room[0]-w.ordinary(), 0)
	return room
}

// roomInAll returns how many addresses all objects together may have by Input.Room: as many more as it says than all live peers, less
// those that must stand in the first object.
func roomInAll(in *Input, w *wanted, l *live) int {
	if in.Room == nil {
		return math.MaxInt
	}
	return l.peers() + *in.Room - w.ordinary()
}

func sum(numbers []int) int {
	all := 0
	for _, n := range numbers {
		all += n
	}
	return all
}
