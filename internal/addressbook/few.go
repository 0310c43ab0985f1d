// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import "slices"

// few is a list of which most have one element: most names are listed by one policy. That one lies in the list itself, which saves
// the space that a slice takes beside its elements, 24 bytes of 32. The zero T is no element.
type few[T comparable] struct {
	one  [1]T
	more *[]T // all of them, if they are several
}

// all returns the elements, to be changed in place; it is valid until the list is longer or shorter.
func (f *few[T]) all() []T {
	if f.more != nil {
		return *f.more
	}
	if f.one == [1]T{} {
		return nil
	}
	return f.one[:]
}

// insert makes x the i-th element.
func (f *few[T]) insert(i int, x T) {
	switch list := f.all(); len(list) {
	case 0:
		f.one[0] = x
	case 1:
		list = slices.Insert(slices.Clone(list), i, x)
		f.one, f.more = [1]T{}, &list
	default:
		*f.more = slices.Insert(list, i, x)
	}
}

// remove takes out the i-th element.
func (f *few[T]) remove(i int) {
	f.shorten(slices.Delete(f.all(), i, i+1))
}

// swapOut takes out the i-th element. The last one takes its place, so that it does not matter how many there are.
func (f *few[T]) swapOut(i int) {
	list := f.all()
	last := len(list) - 1
	list[i] = list[last]
	clear(list[last:])
	f.shorten(list[:last])
}

// shorten takes over what is left of the elements.
func (f *few[T]) shorten(list []T) {
	switch {
	case f.more == nil:
	case len(list) == 1:
		f.one[0], f.more = list[0], nil
	default:
		*f.more = list
	}
}
