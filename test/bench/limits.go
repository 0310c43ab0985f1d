// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// cost is what the controller's heap holds for one of each, in bytes, at most. The scenario memory measures them.
type cost struct{ policy, name, address, question float64 }

// costs are what the memory of the Deployment is reckoned with; a measured figure that is larger misses its aim.
func costs() cost {
	return cost{policy: 6 << 10, name: 1536, address: 512, question: 512}
}
