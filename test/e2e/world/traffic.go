// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

func makeTraffic(ctx context.Context, args []string) error {
	options, err := trafficOptions(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // nothing is said to it: the end of standard input is the end
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	out := json.NewEncoder(os.Stdout)
	return traffic.Run(ctx, options, func(e traffic.Event) error { return out.Encode(e) })
}

func trafficOptions(args []string) (traffic.Options, error) {
	var o traffic.Options
	fs := flag.NewFlagSet("traffic", flag.ContinueOnError)
	fs.StringVar(&o.Network, "network", "ip4", "ip4 or ip6: which addresses of the name to connect to")
	fs.DurationVar(&o.Every, "every", 20*time.Millisecond, "time from one request to the next")
	fs.DurationVar(&o.Timeout, "timeout", time.Second, "how long a request may take")
	fs.BoolVar(&o.Keep, "keep", false, "send all requests over the first connection, and fail when it is gone")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() != 2 {
		return o, errors.New("traffic: say which name and which port")
	}
	o.Name, o.Port = fs.Arg(0), fs.Arg(1)
	return o, nil
}
