// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fqdn-egress/fqdn-egress/test/e2e/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server counts connections; each request of more than perConnection on one is hung up on.
func server(t *testing.T, perConnection int64) (port string, connections *atomic.Int64) {
	t.Helper()
	connections = &atomic.Int64{}
	var requests atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) > perConnection {
			panic(http.ErrAbortHandler)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, connections
}

var errEnough = errors.New("enough")

func run(t *testing.T, o traffic.Options, n int) []traffic.Event {
	t.Helper()
	o.Network, o.Name, o.Every, o.Timeout = "ip4", "localhost", time.Millisecond, time.Minute
	var events []traffic.Event
	err := traffic.Run(t.Context(), o, func(e traffic.Event) error {
		if events = append(events, e); len(events) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return events
}

func TestEachRequestHasAConnectionOfItsOwn(t *testing.T) {
	port, connections := server(t, 1000)
	for _, e := range run(t, traffic.Options{Port: port}, 5) {
		if e.Error != "" || e.LookupError != "" || e.Address.String() != "127.0.0.1" || e.Done.Before(e.Told) {
			t.Errorf("%+v", e)
		}
	}
	if n := connections.Load(); n != 5 {
		t.Errorf("%d connections, want 5", n)
	}
}

func TestKeepUsesOneConnection(t *testing.T) {
	port, connections := server(t, 1000)
	for _, e := range run(t, traffic.Options{Port: port, Keep: true}, 5) {
		if e.Error != "" || e.LookupError != "" {
			t.Errorf("%+v", e)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestKeepFailsOnceItsConnectionIsCut(t *testing.T) {
	port, connections := server(t, 2)
	events := run(t, traffic.Options{Port: port, Keep: true}, 4)
	for i, e := range events {
		if failed := e.Error != ""; failed != (i >= 2) {
			t.Errorf("request %d: %+v", i, e)
		}
	}
	if e := events[3]; !strings.Contains(e.Error, "gone") || !strings.HasSuffix(e.Error, "EOF") {
		t.Errorf("want it said that the server closed the connection: %+v", e)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestKeepSaysThatItGaveUp(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := traffic.Options{Network: "ip4", Name: "localhost", Port: port, Keep: true, Every: time.Millisecond, Timeout: 50 * time.Millisecond}
	var events []traffic.Event
	err = traffic.Run(t.Context(), o, func(e traffic.Event) error {
		if events = append(events, e); len(events) == 2 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if !strings.HasSuffix(events[0].Error, "i/o timeout") || events[1].Error != "the first connection is gone: "+events[0].Error {
		t.Errorf("%+v", events)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	port, _ := server(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	o := traffic.Options{Network: "ip4", Name: "localhost", Port: port, Every: time.Hour, Timeout: time.Minute}
	if err := traffic.Run(ctx, o, func(traffic.Event) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
}

func TestFailedLookupIsToldApart(t *testing.T) {
	o := traffic.Options{Network: "ip6", Name: "127.0.0.1", Port: "1", Every: time.Millisecond, Timeout: time.Minute}
	err := traffic.Run(t.Context(), o, func(e traffic.Event) error {
		if e.LookupError == "" || e.Error != "" {
			t.Errorf("%+v", e)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}
