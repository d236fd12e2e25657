package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// didYouMean is "; did you mean ...?" or, when nothing is near, "".
func didYouMean(word string, options []string) string {
	if near, ok := nearest(word, options); ok {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	return ""
}

// longestWord bounds the words that nearest looks at: a longer one is no slip.
const longestWord = 100

// nearest returns the option that word is most likely a slip of: at most a
// third of its letters wrong, whatever the case and whether - or _ is used.
// Among equals the one that begins alike for longest wins, then the first.
func nearest(word string, options []string) (string, bool) {
	if len(word) > longestWord {
		return "", false
	}
	folded := fold(word)
	best, least, alike := "", len(word)/3+1, -1
	for _, option := range options {
		if len(option) > longestWord {
			continue
		}
		other := fold(option)
		d := distance(folded, other)
		if same := commonPrefix(folded, other); d < least || d == least && alike >= 0 && same > alike {
			best, least, alike = option, d, same
		}
	}
	return best, alike >= 0
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// fold takes the differences off that do not count.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance counts the letters to add, drop, replace or swap with the neighbour
// to get from a to b (optimal string alignment).
func distance(a, b string) int {
	// Folding may lengthen a word a little (some capitals are shorter).
	var rows [3][2*longestWord + 1]int
	if len(a) > 2*longestWord || len(b) > 2*longestWord {
		return len(a) + len(b)
	}
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
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
		before, last, row = last, row, before
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
