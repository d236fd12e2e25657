package scan

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// walk reads the array messages. It notes the tool-call ids that are too long,
// messages[].tool_call_id and messages[].tool_calls[].id, and the extension
// members of messages and of tool calls.
func (s *scanner) walk() error {
	return s.elements(func() error {
		return s.members(func(name []byte, at *place) error {
			switch string(name) {
			case "tool_call_id":
				return s.id()
			case "tool_calls":
				return s.elements(func() error { return s.members(s.call) })
			case dialect.ThinkingBlocks, dialect.ExtraContent:
				return s.extension(at)
			case dialect.ReasoningContent:
				return s.reasoning(at)
			}
			return s.Skip()
		})
	})
}

// call takes a member of a tool call.
func (s *scanner) call(name []byte, at *place) error {
	switch string(name) {
	case "id":
		return s.id()
	case dialect.ExtraContent:
		return s.extension(at)
	}
	return s.Skip()
}

// place is where a member stands: open is the offset just after its object's
// brace, before is where the text between the previous value and its name begins.
type place struct {
	open, before int
	entry        int // above 0: which of the scan's Extensions is the object's
}

// extension passes a value and notes its member.
func (s *scanner) extension(at *place) error {
	if err := s.Skip(); err != nil {
		return err
	}
	member := dialect.Span{Start: at.before, End: s.Offset()}
	all := &s.scan.Extensions
	if at.entry == 0 {
		*all = append(*all, dialect.Extended{Open: at.open})
		at.entry = len(*all)
	}
	o := &(*all)[at.entry-1]
	o.Members = append(o.Members, member)
	return nil
}

// reasoning is extension for the member that some upstreams want back.
func (s *scanner) reasoning(at *place) error {
	if err := s.extension(at); err != nil {
		return err
	}
	o := &s.scan.Extensions[at.entry-1]
	o.Reasoning = o.Members[len(o.Members)-1]
	return nil
}

// elements calls f before each element of the array that comes next; anything
// else is skipped.
func (s *scanner) elements(f func() error) error {
	if s.Peek() != '[' {
		return s.Skip()
	}
	if err := s.Begin('['); err != nil {
		return err
	}
	for {
		more, err := s.Element()
		if err != nil || !more {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// members calls f after each member name of the object that comes next;
// anything else is skipped.
func (s *scanner) members(f func(name []byte, at *place) error) error {
	if s.Peek() != '{' {
		return s.Skip()
	}
	if err := s.Begin('{'); err != nil {
		return err
	}
	at := &place{open: s.Offset()}
	for {
		at.before = s.Offset()
		name, err := s.Name()
		if err != nil || name == nil {
			return err
		}
		if err := f(name, at); err != nil {
			return err
		}
	}
}

// id reads an id and notes it when it is too long.
func (s *scanner) id() error {
	v, span, err := s.value()
	if err != nil {
		return err
	}
	if v[0] == '"' && len(v)-2 > dialect.MaxToolCallID {
		s.scan.LongIDs = append(s.scan.LongIDs, span)
	}
	return nil
}
