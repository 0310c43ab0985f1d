// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"bytes"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// FuzzReadFrame: what was read as a frame is that many bytes, whatever the stream.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 9})
	f.Add([]byte{0, 3, 1, 2})
	f.Add([]byte{0xff, 0xff})
	f.Add([]byte{dnsmsg.MaxMessage >> 8, 1})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		b, err := readFrame(bytes.NewReader(stream))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, b); err != nil || !bytes.HasPrefix(stream, again.Bytes()) {
			t.Fatalf("read %x from %x (%v)", b, stream, err)
		}
	})
}
