// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A row is one way to write something wrong, beside a near neighbour that is right. New rules of the types get their
// rows in the group of what they are about: names_test.go, peers_test.go, ports_test.go, selectors_test.go or
// spec_test.go. TestEveryRuleHasARow finds a rule that has none.
type row struct {
	name     string
	refused  string // YAML
	accepted string // YAML
	field    string // that the API server blames, after spec.
	message  string // a part of what it says
}

// A group is rows that stand at the same place of a policy.
type group struct {
	name string
	spec string // YAML with %s for a row's value
	rows []row
}

func groups() []group {
	return slices.Concat(nameGroups(), peerGroups(), portGroups(), selectorGroups(), specGroups())
}

func TestRules(t *testing.T) {
	c := newClient(t)
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, r := range g.rows {
				t.Run(r.name, func(t *testing.T) { checkRow(t, c, g.spec, r) })
			}
		})
	}
}

func checkRow(t *testing.T, c client.Client, spec string, r row) {
	t.Helper()
	if err := dryRun(t, c, policy(t, "p", fmt.Sprintf(spec, r.accepted))); err != nil {
		t.Errorf("%s is refused: %v", r.accepted, err)
	}
	err := dryRun(t, c, policy(t, "p", fmt.Sprintf(spec, r.refused)))
	if !apierrors.IsInvalid(err) {
		t.Fatalf("%s: got error %v, want it to be invalid", r.refused, err)
	}
	causes := causesOf(err)
	// A rule that cannot be evaluated says why; the one that says what to write stands before it.
	causes = slices.DeleteFunc(causes, func(c metav1.StatusCause) bool { return strings.Contains(c.Message, "network address parse error") })
	if len(causes) != 1 {
		t.Fatalf("%s: got %d causes, want one that says it all: %+v", r.refused, len(causes), causes)
	}
	if diff := cmp.Diff("spec."+r.field, causes[0].Field); diff != "" {
		t.Errorf("%s: field (-want +got):\n%s", r.refused, diff)
	}
	if !strings.Contains(causes[0].Message, r.message) {
		t.Errorf("%s: got message %q, want %q in it", r.refused, causes[0].Message, r.message)
	}
}

// causesOf returns what the API server says is wrong, without its remark that it did not look further.
func causesOf(err error) []metav1.StatusCause {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || status.ErrStatus.Details == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(status.ErrStatus.Details.Causes), func(c metav1.StatusCause) bool {
		return strings.Contains(c.Message, "some validation rules were not checked")
	})
}
