package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Names are the tools whose names had to be changed: what the client calls
// them, by what the provider does.
type Names map[string]string

const (
	// maxName is the longest name of a function in the chat format, in bytes.
	maxName = 64
	// nameSum is how many digits of a hash tell changed names apart.
	nameSum = 12
)

// Short is a tool's name as the chat format takes it: the same where it can be,
// else one made from it, always the same.
func (n Names) Short(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if clean == name && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	out := clean[:min(len(clean), maxName-nameSum-1)] + "_" + hex.EncodeToString(sum[:nameSum/2])
	n[out] = name
	return out
}

// Long is the name that the client gave the tool.
func (n Names) Long(name string) string {
	if own, ok := n[name]; ok {
		return own
	}
	return name
}
