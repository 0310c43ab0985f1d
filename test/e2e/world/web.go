// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// serveWeb answers on all ports, on whatever address a request reaches it.
func serveWeb(ctx context.Context, ports []string) error {
	if len(ports) == 0 {
		return errors.New("web: say which ports")
	}
	return serveHTTP(ctx, http.HandlerFunc(sayWho), ports...)
}

func sayWho(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	fmt.Fprintf(w, "%v answers %s\n", local, r.RemoteAddr)
}

func serveHTTP(ctx context.Context, handler http.Handler, ports ...string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, port := range ports {
		server := &http.Server{Addr: ":" + port, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		group.Go(func() error {
			if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			return server.Close()
		})
	}
	return group.Wait()
}
