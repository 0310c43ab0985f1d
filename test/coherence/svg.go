// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

func svg(results []result) string { return "" }
