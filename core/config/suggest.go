package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// didYouMean is "; did you mean ...?" or, when nothing is near, "".
func didYouMean(word string, options []string) string {
	if near, ok := nearest(word, options); ok {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// nearest returns the option that word is most likely a slip of: at most a
// third of its letters wrong, whatever the case and whether - or _ is used.
// Among equals the first wins.
func nearest(word string, options []string) (string, bool) {
	const longest = 100 // a longer word is no slip
	if len(word) > longest {
		return "", false
	}
	best, found := "", false
	limit := max(1, len(word)/3)
	for _, option := range options {
		if len(option) > longest || len(option)-len(word) > limit || len(word)-len(option) > limit {
			continue
		}
		if d := distance(fold(word), fold(option)); d <= limit {
			best, found, limit = option, true, d-1
		}
		if limit < 0 {
			break
		}
	}
	return best, found
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance counts the letters to add, drop, replace or swap with the neighbour
// to get from a to b (optimal string alignment).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// elsewhere finds the key of any table that word is most likely a slip of, and
// the tables that have it.
func elsewhere(schema *section, word string) (key string, tables []string) {
	homes := make(map[string][]string)
	schema.collect("", homes)
	key, _ = nearest(word, slices.Sorted(maps.Keys(homes)))
	return key, homes[key]
}

// collect adds the tables of every key below s, except the top, to homes.
func (s *section) collect(prefix string, homes map[string][]string) {
	for _, f := range s.fields {
		if prefix != "" {
			homes[f.key] = append(homes[f.key], prefix)
		}
		if f.sub == nil {
			continue
		}
		below := "[" + f.key + "]"
		if prefix != "" {
			below = strings.TrimSuffix(prefix, "]") + "." + f.key + "]"
		}
		switch f.shape {
		case shapeTables:
			below = strings.TrimSuffix(below, "]") + ".<id>]"
		case shapeList:
			below = "[" + below + "]"
		}
		f.sub.collect(below, homes)
	}
}
