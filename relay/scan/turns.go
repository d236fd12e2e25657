package scan

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/strict"
)

// turns is what a scan finds out about a conversation in Anthropic's form. Of
// what began at another provider Anthropic refuses two things: reasoning that is
// not signed, and to think on in the middle of calls that no signed reasoning led to.
type turns struct {
	thinking dialect.Span // the value of thinking, if it is of type enabled
	last     turn
	// midway is whether the last message but one calls and has no reasoning at
	// its front, and the last one has results.
	midway bool
}

// turn is what one message says.
type turn struct {
	blocks          int
	thinks          bool // its first block is reasoning
	calls, answered bool
}

// readTurns reads the messages. It notes the unsigned reasoning; a message
// that holds nothing else is noted as a whole. What is wrong with the rest the
// upstream says.
func (s *scanner) readTurns() error {
	_, err := s.sift(func() (out bool, err error) {
		before := s.turns.last
		s.turns.last = turn{}
		err = s.members(func(name []byte, _ *place) (err error) {
			if string(name) != "content" {
				return s.Skip()
			}
			out, err = s.sift(s.block)
			return err
		})
		if out { // it is as if it were not there
			s.turns.last = before
			return true, err
		}
		s.turns.midway = before.calls && !before.thinks && s.turns.last.answered
		return false, err
	})
	return err
}

// sift passes the array that comes next and notes those of its elements for
// which f is true. Where that is all of them, none is noted and all is true.
func (s *scanner) sift(f func() (bool, error)) (all bool, err error) {
	if s.Peek() != '[' {
		return false, s.Skip()
	}
	if err := s.Begin('['); err != nil {
		return false, err
	}
	found := dialect.Extended{Open: s.Offset()}
	for n := 0; ; n++ {
		before := s.Offset()
		more, err := s.Element()
		if err != nil {
			return false, err
		}
		if !more {
			all = n > 0 && len(found.Members) == n
			break
		}
		out, err := f()
		if err != nil {
			return false, err
		}
		if out {
			found.Members = append(found.Members, dialect.Span{Start: before, End: s.Offset()})
		}
	}
	if len(found.Members) > 0 && !all {
		s.scan.Extensions = append(s.scan.Extensions, found)
	}
	return all, nil
}

// block passes a block and reports whether it is reasoning without a signature.
func (s *scanner) block() (unsigned bool, err error) {
	var kind string
	signed := false
	err = s.members(func(name []byte, _ *place) error {
		switch string(name) {
		case "type":
			v, err := s.Value()
			if err == nil {
				kind = strict.Unquote(v)
			}
			return err
		case "signature":
			v, err := s.Value()
			signed = err == nil && strict.Unquote(v) != ""
			return err
		}
		return s.Skip()
	})
	if kind == "thinking" && !signed {
		return true, err
	}
	t := &s.turns.last
	t.thinks = t.thinks || t.blocks == 0 && (kind == "thinking" || kind == "redacted_thinking")
	t.calls = t.calls || kind == "tool_use"
	t.answered = t.answered || kind == "tool_result"
	t.blocks++
	return false, err
}

// thinking reads the member of that name.
func (s *scanner) thinking() error {
	start, enabled := -1, false
	err := s.members(func(name []byte, at *place) error {
		start = at.open - 1
		if string(name) != "type" {
			return s.Skip()
		}
		v, err := s.Value()
		enabled = err == nil && strict.Unquote(v) == "enabled"
		return err
	})
	if enabled {
		s.turns.thinking = dialect.Span{Start: start, End: s.Offset()}
	}
	return err
}

// settle notes that thinking must be switched off for this request.
func (s *scanner) settle() {
	if s.turns.midway {
		s.scan.Thinking = s.turns.thinking
	}
}
