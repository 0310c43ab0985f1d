// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"time"
)

// Compile decides what to write. In mode Audit it deletes what is ours, and still says what would be allowed.
//
//	live object    wanted now               steps
//	none           .1                       create [.1]
//	[.1]           .1                       none
//	[.1]           .1 .2                    update [.1 .2]
//	[.1 .2]        .2 (.1 due 5 s ago)      none: .1 lingers, Next in 25 s
//	[.1 .2]        .2 .3 (.1 due 5 s ago)   update [.2 .3]: .1 goes along
//	[.1 .2]        .2 (.1 due 30 s ago)     update [.2]
//	[.1]           none                     update []: the pods reach nothing
//	[.1]           .1, in mode Audit        delete
//	a foreign one  .1                       none: Conflicts
//
// One update of one object is atomic; a plan for several objects is not. A change of the pod selector of a
// policy with several objects therefore leaves, between its steps, pods that only some of them select.
func Compile(in Input, now time.Time) Plan {
	in = in.withDefaults()
	dns := in.DNS.rules()
	live := readLive(&in, dns)
	grants := grantsOf(&in, dns, now)
	if !in.Policy.Audit {
		w := wantedNow(grants, now, live.has)
		plan := planFor(&in, &w, &live, now)
		if !w.lingers || len(plan.Steps) == 0 && plan.LeftOut+plan.NoRoom == 0 {
			return plan
		}
		// Something is written anyway, or the room is needed: the lingering addresses go along.
	}
	w := wantedNow(grants, now, nothingLingers)
	return planFor(&in, &w, &live, now)
}

// planFor decides which object has which grant, how the objects should be, and on the writes that make them so.
func planFor(in *Input, w *wanted, l *live, now time.Time) Plan {
	placed := place(w.Rules, l, roomsOf(in, w, l), roomInAll(in, w, l))
	plan := report(w, placed, l)
	var objects []*object // none in mode Audit
	if !in.Policy.Audit {
		objects = render(w, placed)
		plan.Peers = placed.count + w.ordinary()
	}
	plan.Objects, plan.Conflicts = objectNames(&in.Policy, objects, l, placed.leftOut > 0)
	plan.Steps = steps(&in.Policy, objects, l)
	plan.StillCarried = in.Carried.still(w.Rules, in, now, len(plan.Steps) == 0)
	return plan
}
