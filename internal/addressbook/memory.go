// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// What a Book takes, for who computes the memory of the process at its limits. TestMemory measures that it is no more. With
// the default limits, two sources, and 10,000 policies that list names 180,000 times:
//
//	70,000 names                  x   700   49 MB
//	of which all were in trouble  x   700   49 MB
//	250,000 addresses             x   300   75 MB
//	10,000 owners of 18 patterns  x 2,940   29 MB
//	in all                                 202 MB
//
// What rotations remember is among that of addresses: the process has at most MaxAddresses captures.
const (
	// BytesPerName is for an exact name that two sources are asked about in both families, or a wildcard, with the pattern of one
	// owner. With one source it is 550.
	BytesPerName = 700
	// BytesPerTrouble is what such a name takes more once its sources failed, and its addresses began to change.
	BytesPerTrouble = 700
	// BytesPerAddress is for an address that one source holds, in all that is kept of it: where the source says it (32 bytes), the
	// union over the sources (60), what the owners of two terms see (112), what the rotation remembers (40), with the spare room of slices.
	BytesPerAddress = 300
	// BytesPerSource is for each further source that holds an address.
	BytesPerSource = 40
	// BytesPerOwner is for a policy, without its patterns.
	BytesPerOwner = 600
	// BytesPerWant is for each pattern that a policy lists, also for those that wait for room.
	BytesPerWant = 130
)
