package relay

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// walk reads the array messages and notes the tool-call ids in it that are too
// long: messages[].tool_call_id and messages[].tool_calls[].id.
func (s *scanner) walk() error {
	return s.elements(func() error {
		return s.members(func(name string) error {
			switch name {
			case "tool_call_id":
				return s.id()
			case "tool_calls":
				return s.elements(func() error {
					return s.members(func(name string) error {
						if name == "id" {
							return s.id()
						}
						return s.dec.SkipValue()
					})
				})
			}
			return s.dec.SkipValue()
		})
	})
}

// elements calls f before each element of the array that comes next; anything
// else is skipped.
func (s *scanner) elements(f func() error) error {
	if s.dec.PeekKind() != '[' {
		return s.dec.SkipValue()
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() != ']' {
		if err := f(); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// members calls f after each member name of the object that comes next;
// anything else is skipped.
func (s *scanner) members(f func(name string) error) error {
	if s.dec.PeekKind() != '{' {
		return s.dec.SkipValue()
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() != '}' {
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := f(tok.String()); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

// id reads an id and notes it when it is too long.
func (s *scanner) id() error {
	v, span, err := s.value()
	if err != nil {
		return err
	}
	if v.Kind() == '"' && len(v)-2 > dialect.MaxToolCallID {
		s.scan.LongIDs = append(s.scan.LongIDs, span)
	}
	return nil
}
