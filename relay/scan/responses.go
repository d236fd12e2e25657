package scan

import (
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/strict"
)

// What a request of /v1/responses goes on from, which only one provider may keep.

// previous reads previous_response_id.
func (s *scanner) previous() error {
	if !s.endpoint.Continues() {
		return s.Skip()
	}
	id, err := s.idOrNull("previous_response_id", "the id of a response")
	s.scan.Previous = id
	return err
}

// conversation reads a conversation: its id, or an object with the id.
func (s *scanner) conversation() error {
	if !s.endpoint.Continues() {
		return s.Skip()
	}
	const name, want = "conversation", "the id of a conversation, or an object with its id"
	if s.Peek() != '{' {
		id, err := s.idOrNull(name, want)
		s.scan.Conversation = id
		return err
	}
	return s.members(func(member []byte, _ *place) error {
		if string(member) != "id" {
			return s.Skip()
		}
		id, err := s.idOrNull(name, want)
		s.scan.Conversation = id
		return err
	})
}

// idOrNull reads a string, or null for "", as the value of a field or in it.
func (s *scanner) idOrNull(field, want string) (string, error) {
	v, _, err := s.value()
	switch {
	case err != nil:
		return "", err
	case v[0] == '"':
		return strict.Unquote(v), nil
	case v[0] == 'n':
		return "", nil
	}
	return "", invalidField(field, want)
}

// items reads the input. It notes the reasoning in it that Berry itself put into
// an earlier answer, of another provider's: one that has the endpoint refuses what
// it did not make. A conversation of nothing else stays as it is.
func (s *scanner) items() error {
	_, err := s.sift(func() (own bool, err error) {
		err = s.members(func(name []byte, _ *place) error {
			if string(name) != "id" {
				return s.Skip()
			}
			v, err := s.Value()
			own = err == nil && strings.HasPrefix(strict.Unquote(v), dialect.OwnReasoning)
			return err
		})
		return own, err
	})
	return err
}
