package dialect

import "slices"

// Edit replaces a span of a body by other text.
type Edit struct {
	Span
	Text []byte
}

// SortEdits puts edits into the order that Splice wants: by Start, and where
// two begin at one place an insertion first.
func SortEdits(edits []Edit) {
	slices.SortFunc(edits, func(a, b Edit) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return a.End - b.End
	})
}

// RemoveMembers appends to edits what takes the given members out of the
// object in body whose members begin at open, so that the commas come out
// right. The members are as a Scan describes them and in order; zero spans are
// passed over.
func RemoveMembers(edits []Edit, body []byte, open int, members ...Span) []Edit {
	// Up to front nothing is kept, so a member there takes the comma after it
	// along; any other takes the comma before it, which its span holds.
	front, from := open, open
	for _, m := range members {
		switch {
		case m.IsZero():
		case m.Start != front:
			edits = append(edits, Edit{Span: m})
		default:
			end := m.End
			for end < len(body) && isSpace(body[end]) {
				end++
			}
			if end < len(body) && body[end] == ',' {
				end++
			}
			edits = append(edits, Edit{Span: Span{Start: from, End: end}})
			front, from = m.End, end
		}
	}
	return edits
}

func isSpace(ch byte) bool { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' }
