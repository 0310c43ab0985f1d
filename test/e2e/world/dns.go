// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

func serveDNS(ctx context.Context) error {
	server, err := dnstest.New("0.0.0.0:53")
	if err != nil {
		return err
	}
	defer server.Close()
	return serveHTTP(ctx, dnstest.Control(server), "8080")
}
