package chat

import (
	"slices"
	"strings"
)

const (
	// maxDroppedName bounds one name of the list in bytes.
	maxDroppedName = 64
	// maxDropped bounds the list: it goes out in a header, and clients and
	// proxies take no endless ones.
	maxDropped = 2 << 10
)

// Dropped is the list of parameters that were left out as it may stand in a
// header: in order, each once, without what a client could forge a header
// with. A list that is too long ends in "...".
func Dropped(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	size := 0
	for i, name := range names {
		names[i] = printable(name)
		if size += len(names[i]) + 1; size > maxDropped {
			return append(names[:i], "...")
		}
	}
	return names
}

// printable makes a name that a client chose safe in a header.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != ',' {
			return r
		}
		return '?'
	}, name)
	return name[:min(len(name), maxDroppedName)]
}
