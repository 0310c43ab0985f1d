// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// gate is a proxy between one controller and the API server. It can hold a request that the controller has sent until the
// test lets it through, as a network or a busy API server may. It is safe for concurrent use.
type gate struct {
	t          *testing.T
	kubeconfig string            // for the controller; the gate has its own access to the API server
	through    http.RoundTripper // to the API server

	mu   sync.Mutex
	held []*heldRequest
}

// heldRequest is the first request of a method and a path since hold.
type heldRequest struct {
	t            *testing.T
	method, path string
	came         chan []byte   // its body; then the whole of the request is at the gate
	let          chan struct{} // closed when it may go on
	answered     chan int      // what the API server answered
}

func (w *world) gate() *gate {
	w.t.Helper()
	target, _, err := rest.DefaultServerUrlFor(w.server.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	through, err := rest.TransportFor(w.server.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	g := &gate{t: w.t, through: through, kubeconfig: filepath.Join(w.t.TempDir(), "gate.kubeconfig")}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     g,
		FlushInterval: -1, // the events of a watch go on at once
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	})
	w.t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["gate"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["gate"] = &clientcmdapi.Context{Cluster: "gate"}
	config.CurrentContext = "gate"
	if err := clientcmd.WriteToFile(*config, g.kubeconfig); err != nil {
		w.t.Fatal(err)
	}
	return g
}

// hold holds the next request of this method and path.
func (g *gate) hold(method, path string) *heldRequest {
	h := &heldRequest{
		t: g.t, method: method, path: path,
		came: make(chan []byte, 1), let: make(chan struct{}), answered: make(chan int, 1),
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = append(g.held, h)
	return h
}

// RoundTrip sends a request on, and holds it before if it is to be held.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	h := g.take(r)
	if h == nil {
		return g.through.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.came <- body
	select {
	case <-h.let:
	case <-r.Context().Done(): // the controller ended
		return nil, r.Context().Err()
	}
	response, err := g.through.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	h.answered <- response.StatusCode
	return response, nil
}

func (g *gate) take(r *http.Request) *heldRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, h := range g.held {
		if h.method == r.Method && h.path == r.URL.Path {
			g.held = append(g.held[:i:i], g.held[i+1:]...)
			return h
		}
	}
	return nil
}

// wait returns the body of the request once the whole of it is at the gate.
func (h *heldRequest) wait() []byte {
	h.t.Helper()
	select {
	case body := <-h.came:
		return body
	case <-time.After(patience):
		h.t.Fatalf("no %s %s within %s", h.method, h.path, patience)
		return nil
	}
}

// release lets the request through and returns the API server's status code.
func (h *heldRequest) release() int {
	h.t.Helper()
	close(h.let)
	select {
	case code := <-h.answered:
		return code
	case <-time.After(patience):
		h.t.Fatalf("no answer to %s %s within %s", h.method, h.path, patience)
		return 0
	}
}
