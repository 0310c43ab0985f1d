// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
)

func TestPulseEndsAfterAStop(t *testing.T) {
	var none *Pulse
	p := &Pulse{}
	if !none.steady(testNow) || !p.steady(testNow) {
		t.Fatal("not steady without a Pulse, or before it started")
	}
	p.beat(testNow)
	if !p.steady(testNow.Add(pulseLimit-1)) || p.steady(testNow.Add(pulseLimit)) {
		t.Error("steady for another time than the limit after a beat")
	}
	if !p.beat(testNow.Add(pulseInterval)) {
		t.Error("a beat in time does not count")
	}
	late := testNow.Add(pulseInterval + pulseLimit)
	if p.beat(late) || p.steady(late) {
		t.Error("a beat that comes too late counts")
	}
}

func TestPulseGoesOnWhileTheProcessDoes(t *testing.T) {
	// The race detector of Go 1.26 fails on timers of a bubble on several processors (go.dev/issue/78156).
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		p := &Pulse{Clock: clock.RealClock{}}
		ended := make(chan error, 1)
		go func() { ended <- p.Start(t.Context()) }()
		time.Sleep(time.Hour) // in fake time
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("ended", err)
		default:
		}
		if !p.steady(time.Now()) {
			t.Error("not steady")
		}
	})
}
