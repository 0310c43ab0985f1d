// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

var errMessageSize = errors.New("message longer than 65535 bytes")

// readFrame reads one message of a TCP or TLS stream: two bytes of length, then the message (RFC 1035 section 4.2.2). It
// returns a *dnsmsg.Error for one that is longer than dnsmsg.MaxMessage, of which it reads nothing.
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > dnsmsg.MaxMessage {
		return nil, &dnsmsg.Error{Reason: dnsmsg.ReasonTooLong, Err: fmt.Errorf("%d bytes", n)}
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// writeFrame writes length and message at once: two writes would be two packets.
func writeFrame(w io.Writer, b []byte) error {
	if len(b) > math.MaxUint16 {
		return errMessageSize
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, len(b)+2), uint16(len(b))), b...))
	return err
}
