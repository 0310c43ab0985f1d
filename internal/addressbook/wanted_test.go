// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// A name that loses its last owner and gets another before the resolver looks must be asked again at once: what was
// known of it went with the last owner.
func TestWanted_ShowsThatANameWentAndCameBack(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	book := New(Options{})
	www, err := fqdn.ParsePattern("www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	api, err := fqdn.ParsePattern("api.example.com")
	if err != nil {
		t.Fatal(err)
	}
	book.Want(Owner{Name: "a"}, Wants{Patterns: []fqdn.Pattern{www, api}}, now)
	listed := func() ([]string, <-chan struct{}) {
		names, changed := book.Wanted()
		var out []string
		for _, n := range names {
			out = append(out, n.Name.String())
		}
		return out, changed
	}
	before, changed := listed()
	if want := []string{"api.example.com", "www.example.com"}; !cmp.Equal(before, want) {
		t.Fatal(cmp.Diff(want, before))
	}

	book.Want(Owner{Name: "a"}, Wants{Patterns: []fqdn.Pattern{api}}, now)
	book.Want(Owner{Name: "b"}, Wants{Patterns: []fqdn.Pattern{www}}, now)
	<-changed
	gone, changed := listed()
	if want := []string{"api.example.com"}; !cmp.Equal(gone, want) {
		t.Errorf("first look: %s", cmp.Diff(want, gone))
	}
	<-changed // closed already
	back, changed := listed()
	if !cmp.Equal(back, before) {
		t.Errorf("second look: %s", cmp.Diff(before, back))
	}
	select {
	case <-changed:
		t.Error("nothing changed since, yet the channel is closed")
	default:
	}
}
