// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// AnnotationAddresses is the annotation in which a generated NetworkPolicy says whose its addresses are: for people, and
// for the next process. It is written along with what is written anyway; a wrong or missing one is no reason for a write.
//
//	TCP/443:
//	  (ipBlock): 203.0.113.7
//	  *.example.org: 192.0.2.1
//	  www.example.com: 192.0.2.1 192.0.2.2 2001:db8::1
//	    2001:db8::2
//	all ports:
//	  db.example.com: 192.0.2.9
//	# 12 more addresses are not listed: the text would exceed 64 KiB
//
// A line without indentation names the ports of a rule (RuleKey). The lines below it name an owner and its addresses, in
// order, and a long list goes on in lines indented further. An address is listed below all of its owners or below none.
const AnnotationAddresses = group + "/addresses"

// The parts of the text.
const (
	maxAnnotation   = 64 << 10 // bytes; an API server takes 256 KiB of annotations in all
	annotationWidth = 100      // characters; kubectl describe cuts lines after 138
	everyPort       = "all ports"
	ownerUnknown    = "(unknown)" // carried over a restart, and nothing says for which name
	ownerSpec       = "(ipBlock)" // the spec lists it
	ownerIndent     = "  "
	moreIndent      = "    "
	remark          = "# "
	remarkRoom      = 100 // bytes kept free for the remark on addresses that do not fit
	tooLong         = ": the text would exceed 64 KiB\n"
)

// addressFor is one of those for whom a rule has an address. The zero value is not known.
type addressFor struct {
	pattern fqdn.Pattern
	spec    bool // an ipBlock of the spec
}

func (o addressFor) String() string {
	switch {
	case o.spec:
		return ownerSpec
	case o == addressFor{}:
		return ownerUnknown
	}
	return o.pattern.String()
}

// annotationOf returns the text for one object; "" if it has no address.
func annotationOf(o *object) string {
	w := annotationWriter{room: maxAnnotation - remarkRoom}
	var owners []addressFor
	for i := range o.rules[o.leads:] {
		r := &o.rules[o.leads+i]
		w.open(r.Ports.Key)
		for j := range r.Names {
			owners = ownersOf(owners[:0], r.Names[j].Claims)
			w.add(r.Names[j].Addr, owners...)
		}
		for _, a := range ownBlocks(r.Spec) {
			w.add(a, addressFor{spec: true})
		}
		w.close()
	}
	return w.finish()
}

// ownersOf lists for whom an address is there. It appends to owners.
func ownersOf(owners []addressFor, claims []Claim) []addressFor {
	for i := range claims {
		if o := (addressFor{pattern: claims[i].Pattern}); !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
	}
	return owners
}

// ownBlocks returns the single addresses that the spec lists, sorted.
func ownBlocks(spec []Grant) []netip.Addr {
	var blocks []netip.Addr
	for i := range spec {
		if spec[i].Addr.IsValid() {
			blocks = append(blocks, spec[i].Addr)
		}
	}
	return sortedAddrs(blocks)
}

// annotationWriter builds the text of one object, rule by rule.
type annotationWriter struct {
	text strings.Builder
	room int // how many more bytes fit
	left int // addresses that did not fit

	heading string                 // of the rule that is being written
	owners  map[string]*ownerLines // of that rule
}

// ownerLines are the lines of one owner in one rule.
type ownerLines struct {
	text   []byte
	column int // length of the last line
}

func (w *annotationWriter) open(key RuleKey) {
	ports := string(key)
	if ports == "" {
		ports = everyPort
	}
	w.heading, w.owners = ports+":\n", map[string]*ownerLines{}
}

// add lists an address below all of its owners, or below none if that does not fit.
func (w *annotationWriter) add(a netip.Addr, owners ...addressFor) {
	text, need := a.String(), 0
	if len(w.owners) == 0 {
		need = len(w.heading)
	}
	for _, o := range owners {
		need += len(w.owners[o.String()].separator(o, text)) + len(text)
		if w.owners[o.String()] == nil {
			need++ // the end of the owner's last line
		}
	}
	if need > w.room {
		w.left++
		return
	}
	w.room -= need
	for _, o := range owners {
		lines := w.owners[o.String()]
		separator := lines.separator(o, text)
		if lines == nil {
			lines = &ownerLines{}
			w.owners[o.String()] = lines
		}
		lines.append(separator, text)
	}
}

// separator returns what precedes the next address; l is nil for an owner without a line.
func (l *ownerLines) separator(o addressFor, next string) string {
	switch {
	case l == nil:
		return ownerIndent + o.String() + ": "
	case l.column+1+len(next) > annotationWidth:
		return "\n" + moreIndent
	}
	return " "
}

func (l *ownerLines) append(separator, text string) {
	l.text = append(append(l.text, separator...), text...)
	if separator[0] == '\n' {
		l.column = len(separator) - 1 + len(text)
	} else {
		l.column += len(separator) + len(text)
	}
}

func (w *annotationWriter) close() {
	if len(w.owners) == 0 {
		return
	}
	w.text.WriteString(w.heading)
	names := make([]string, 0, len(w.owners))
	for name := range w.owners {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.text.Write(w.owners[name].text)
		w.text.WriteByte('\n')
	}
}

func (w *annotationWriter) finish() string {
	switch w.left {
	case 0:
	case 1:
		w.text.WriteString(remark + "1 more address is not listed" + tooLong)
	default:
		w.text.WriteString(remark + strconv.Itoa(w.left) + " more addresses are not listed" + tooLong)
	}
	return w.text.String()
}
