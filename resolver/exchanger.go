// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// Exchanger gets the answer of an upstream to a question; *dnsclient.Sockets is the one of the network, and has the contract.
type Exchanger interface {
	Exchange(ctx context.Context, q dnsmsg.Question, u dnsclient.Upstream) (*dnsmsg.Message, error)
}
