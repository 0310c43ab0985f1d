// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnsclient

import (
	"sync"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

const (
	// ednsPause is how long EDNS is left out where it was not answered; then it is tried again, as somebody may have mended
	// what drops it. It is longer than the five minutes within which each name is asked again.
	ednsPause = 10 * time.Minute
	// ednsProbe is how long one question that tries it again has, before the next one does.
	ednsProbe = 5 * time.Second
	// ednsDoubts is after how many questions a whole upstream is doubted.
	ednsDoubts = 3
	// maxEDNSServers and maxEDNSQuestions bound what is remembered.
	maxEDNSServers, maxEDNSQuestions = 1024, 16384
)

// ednsMemory remembers which queries were answered only without EDNS, so that the next ones need not wait for it in vain.
// A question that was is asked without EDNS for ednsPause. A whole upstream is, when that happened to ednsDoubts questions
// and no query with EDNS was answered for as long: one lost packet, or one zone behind a forwarder, is not the upstream.
// After the pause one question tries EDNS again, for all. Safe for concurrent use; the zero ednsMemory has forgotten all.
type ednsMemory struct {
	mu        sync.Mutex
	servers   map[Upstream]*ednsServer
	questions map[ednsQuestion]time.Time // until when it is left out
}

type ednsServer struct {
	answered time.Time // a query with EDNS was, last
	doubts   int       // questions since then that were answered without EDNS only
	until    time.Time // when it is left out for all questions
}

type ednsQuestion struct {
	upstream Upstream
	question dnsmsg.Question
}

// wanted tells whether to ask with EDNS.
func (m *ednsMemory) wanted(u Upstream, q dnsmsg.Question, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.servers[u]; s != nil && s.doubts >= ednsDoubts {
		if now.Before(s.until) {
			return false
		}
		s.until = now.Add(ednsProbe)
		return true
	}
	return !now.Before(m.questions[ednsQuestion{u, q}])
}

// answered: a query with EDNS was.
func (m *ednsMemory) answered(u Upstream, q dnsmsg.Question, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.questions, ednsQuestion{u, q})
	s := m.server(u, now)
	s.answered, s.doubts = now, 0
}

// refused: a query was answered without EDNS only.
func (m *ednsMemory) refused(u Upstream, q dnsmsg.Question, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.questions) >= maxEDNSQuestions {
		for old, until := range m.questions {
			if !now.Before(until) {
				delete(m.questions, old)
			}
		}
	}
	if len(m.questions) >= maxEDNSQuestions {
		clear(m.questions) // they are found out again
	}
	if m.questions == nil {
		m.questions = map[ednsQuestion]time.Time{}
	}
	m.questions[ednsQuestion{u, q}] = now.Add(ednsPause)
	if s := m.server(u, now); now.Sub(s.answered) >= ednsPause {
		s.doubts++
		s.until = now.Add(ednsPause)
	}
}

// server returns what is remembered of an upstream.
func (m *ednsMemory) server(u Upstream, now time.Time) *ednsServer {
	if s := m.servers[u]; s != nil {
		return s
	}
	if len(m.servers) >= maxEDNSServers {
		for old, s := range m.servers {
			if now.Sub(s.answered) >= ednsPause && !now.Before(s.until) {
				delete(m.servers, old)
			}
		}
	}
	if m.servers == nil || len(m.servers) >= maxEDNSServers {
		m.servers = map[Upstream]*ednsServer{}
	}
	s := new(ednsServer)
	m.servers[u] = s
	return s
}
