// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"
)

// value is a flag.Value whose error says what to write; those of package flag say "parse error".
type value[T any] struct {
	to    *T
	parse func(string) (T, error)
	write string // what to write, such as "a duration such as 30s"
}

// String implements flag.Value. Package flag calls it on the zero value too.
func (v value[T]) String() string {
	if v.to == nil {
		return ""
	}
	return fmt.Sprint(*v.to)
}

// Set implements flag.Value.
func (v value[T]) Set(s string) error {
	parsed, err := v.parse(s)
	if err != nil {
		return errors.New("write " + v.write)
	}
	*v.to = parsed
	return nil
}

func durationVar(fs *flag.FlagSet, to *time.Duration, name string, otherwise time.Duration, usage string) {
	*to = otherwise
	fs.Var(value[time.Duration]{to, time.ParseDuration, "a duration such as 30s or 5m"}, name, usage)
}

func intVar(fs *flag.FlagSet, to *int, name string, otherwise int, usage string) {
	*to = otherwise
	fs.Var(value[int]{to, strconv.Atoi, "a whole number such as 1000"}, name, usage)
}
