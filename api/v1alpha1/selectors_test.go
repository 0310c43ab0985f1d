// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import "strings"

// selectorGroups tries every selector at each of its places.
func selectorGroups() []group {
	places := map[string]string{
		"podSelector":                       "{podSelector: %s}",
		"egress[0].to[0].podSelector":       "{podSelector: {}, egress: [{to: [{podSelector: %s}]}]}",
		"egress[0].to[0].namespaceSelector": "{podSelector: {}, egress: [{to: [{namespaceSelector: %s}]}]}",
	}
	var gs []group
	for place, spec := range places {
		g := group{name: place, spec: spec, rows: selectorRows()}
		for i := range g.rows {
			g.rows[i].field = place + "." + g.rows[i].field
		}
		gs = append(gs, g)
	}
	return gs
}

func selectorRows() []row {
	const expression = "matchExpressions[0]"
	long64 := strings.Repeat("a", 64)
	prefix254 := strings.Repeat("a.", 126) + "ab"
	return []row{
		{"label value with a space", "{matchLabels: {app: web shop}}", "{matchLabels: {app: Web_shop.1}}", "matchLabels.app", "should match"},
		{"label value that ends in a dot", "{matchLabels: {app: web.}}", "{matchLabels: {app: ''}}", "matchLabels.app", "should match"},
		{"label value of 64 characters", "{matchLabels: {app: " + long64 + "}}", "{matchLabels: {app: " + long64[1:] + "}}", "matchLabels.app", "may not be more than 63"},
		{"label value that is no string", "{matchLabels: {app: true}}", "{matchLabels: {app: 'true'}}", "matchLabels.app", "must be of type string"},
		{"label key that is empty", "{matchLabels: {'': web}}", "{matchLabels: {a: web}}", "matchLabels", "write a label key"},
		{"label key of 318 characters", "{matchLabels: {" + prefix254 + "/" + long64[1:] + ": web}}", "{matchLabels: {" + prefix254[1:] + "/" + long64[1:] + ": web}}", "matchLabels", "at most 253 characters of prefix"},
		{"unknown operator", "{matchExpressions: [{key: app, operator: Equals, values: [web]}]}", "{matchExpressions: [{key: app, operator: In, values: [web]}]}", expression + ".operator", `supported values: "In", "NotIn", "Exists", "DoesNotExist"`},
		{"no operator", "{matchExpressions: [{key: app}]}", "{matchExpressions: [{key: app, operator: Exists}]}", expression + ".operator", "Required value"},
		{"no key", "{matchExpressions: [{operator: Exists}]}", "{matchExpressions: [{key: app, operator: Exists}]}", expression + ".key", "Required value"},
		{"In without values", "{matchExpressions: [{key: app, operator: In}]}", "{matchExpressions: [{key: app, operator: In, values: ['']}]}", expression + ".values", "write at least one, or use Exists or DoesNotExist"},
		{"NotIn with no value", "{matchExpressions: [{key: app, operator: NotIn, values: []}]}", "{matchExpressions: [{key: app, operator: NotIn, values: [a, b]}]}", expression + ".values", "write at least one, or use Exists or DoesNotExist"},
		{"Exists with values", "{matchExpressions: [{key: app, operator: Exists, values: [web]}]}", "{matchExpressions: [{key: app, operator: Exists, values: []}]}", expression + ".values", "leave values out, or use In or NotIn"},
		{"DoesNotExist with values", "{matchExpressions: [{key: app, operator: DoesNotExist, values: [web]}]}", "{matchExpressions: [{key: app, operator: DoesNotExist}]}", expression + ".values", "leave values out, or use In or NotIn"},
		{"key with a space", "{matchExpressions: [{key: my app, operator: Exists}]}", "{matchExpressions: [{key: example.com/my.App_1, operator: Exists}]}", expression + ".key", "should match"},
		{"key with two slashes", "{matchExpressions: [{key: a/b/c, operator: Exists}]}", "{matchExpressions: [{key: a/b, operator: Exists}]}", expression + ".key", "should match"},
		{"key with an upper case prefix", "{matchExpressions: [{key: Example.com/a, operator: Exists}]}", "{matchExpressions: [{key: example.com/A, operator: Exists}]}", expression + ".key", "should match"},
		{"key of 64 characters", "{matchExpressions: [{key: " + long64 + ", operator: Exists}]}", "{matchExpressions: [{key: " + long64[1:] + ", operator: Exists}]}", expression + ".key", "should match"},
		{"value that ends in a hyphen", "{matchExpressions: [{key: app, operator: In, values: [a, b-]}]}", "{matchExpressions: [{key: app, operator: In, values: [a, b]}]}", expression + ".values[1]", "should match"},
	}
}
