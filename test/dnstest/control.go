// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Records are what [Control] takes for a name.
type Records struct {
	TTLSeconds int64    `json:"ttlSeconds"`
	Addresses  []string `json:"addresses"`           // none: the name exists and has no data
	PerAnswer  int      `json:"perAnswer,omitempty"` // of a pool: how many each answer holds, in turn; 0: all
}

// Failure is what [Control] takes as the fault of a name. Exactly one of its fields is set.
type Failure struct {
	Rcode string `json:"rcode,omitempty"` // SERVFAIL, REFUSED, ...
	Drop  bool   `json:"drop,omitempty"`  // no answer at all
}

// Control programs a server over HTTP, for tests that are not in its process:
//
//	PUT    /names/{name}     Records: exactly these addresses from now on
//	DELETE /names/{name}     NXDOMAIN from now on
//	PUT    /failures/{name}  Failure: the answers for the name, with "*" those for all names, fail from now on
//	DELETE /failures/{name}  and no longer
//
// What it does not understand is answered by 400 and a line that says why, and changes nothing. Whoever can reach it can
// program the server.
func Control(s *Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /names/{name}", take(func(name string, r Records) error {
		if err := r.check(); err != nil {
			return err
		}
		s.set(name, TTL(time.Duration(r.TTLSeconds)*time.Second), r.rotation(), r.Addresses)
		return nil
	}))
	mux.HandleFunc("DELETE /names/{name}", func(_ http.ResponseWriter, r *http.Request) { s.Remove(r.PathValue("name")) })
	mux.HandleFunc("PUT /failures/{name}", take(func(name string, f Failure) error {
		fault, err := f.fault()
		if err != nil {
			return err
		}
		s.Break(orAll(name), fault)
		return nil
	}))
	mux.HandleFunc("DELETE /failures/{name}", func(_ http.ResponseWriter, r *http.Request) { s.Heal(orAll(r.PathValue("name"))) })
	return mux
}

// take decodes the body of a request for a name and answers by what do returns.
func take[T any](do func(name string, body T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		var body T
		err := decoder.Decode(&body)
		if err == nil {
			err = do(r.PathValue("name"), body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

func (r Records) check() error {
	if r.TTLSeconds < 0 || r.TTLSeconds > math.MaxInt32 { // RFC 2181 section 8
		return fmt.Errorf("ttlSeconds %d is not within 0 and 2^31-1", r.TTLSeconds)
	}
	if r.PerAnswer < 0 {
		return fmt.Errorf("perAnswer %d is negative", r.PerAnswer)
	}
	for _, a := range r.Addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			return err
		}
	}
	return nil
}

func (r Records) rotation() func() Rotation {
	if r.PerAnswer == 0 {
		return nil
	}
	return RoundRobin(r.PerAnswer)
}

func (f Failure) fault() (Fault, error) {
	if f.Drop == (f.Rcode != "") {
		return nil, errors.New("write either rcode or drop")
	}
	if f.Drop {
		return Drop(), nil
	}
	rcode, ok := dns.StringToRcode[f.Rcode]
	if !ok {
		return nil, fmt.Errorf("%q is no RCODE: write SERVFAIL, REFUSED or NXDOMAIN, say", f.Rcode)
	}
	return Rcode(rcode), nil
}

// orAll turns the "*" of a path, where a segment cannot be empty, into the "" of Break and Heal.
func orAll(name string) string {
	if name == "*" {
		return ""
	}
	return name
}
