package auth

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// Keyring finds users by token. It holds digests only, no token, never changes
// after NewKeyring, and is safe for concurrent use.
type Keyring struct {
	byID   map[string]*User
	sorted []*User
	// keys is indexed by the first 8 bytes of the digest. Looking those up does
	// not take constant time, but tells an attacker nothing that he could steer:
	// he cannot choose a token by its digest. The whole digest is then compared
	// in constant time.
	keys map[uint64][]key
}

type key struct {
	digest [sha256.Size]byte
	user   *User
}

// NewKeyring builds the keyring of one configuration. A user's token is taken
// from TokenSHA256, which the loader sets for everyone, and where that is empty
// from Token. A user with neither, or with a digest that is not 64 hex digits,
// is known by id but no token finds it. Of two users with one token, which the
// loader refuses, the one whose id sorts first has it.
func NewKeyring(users map[string]config.User, models map[string]config.Model) *Keyring {
	names := modelNames(models)
	k := &Keyring{
		byID: make(map[string]*User, len(users)),
		keys: make(map[uint64][]key, len(users)),
	}
	for _, id := range slices.Sorted(maps.Keys(users)) {
		c := users[id]
		u := newUser(id, c, names)
		k.byID[id] = u
		k.sorted = append(k.sorted, u)
		if digest, ok := tokenDigest(c); ok {
			i := prefix(&digest)
			k.keys[i] = append(k.keys[i], key{digest, u})
		}
	}
	return k
}

// Lookup returns the user with this token, also one that is disabled: whether
// that is an error is the caller's to say. It does not allocate for tokens of
// up to 256 bytes.
func (k *Keyring) Lookup(token string) (*User, bool) {
	if token == "" {
		return nil, false
	}
	digest := digestOf(token)
	for i, entries := 0, k.keys[prefix(&digest)]; i < len(entries); i++ {
		if subtle.ConstantTimeCompare(entries[i].digest[:], digest[:]) == 1 {
			return entries[i].user, true
		}
	}
	return nil, false
}

// User returns the user with this id.
func (k *Keyring) User(id string) (*User, bool) {
	u, ok := k.byID[id]
	return u, ok
}

// Users returns all users, sorted by id. The slice is the caller's.
func (k *Keyring) Users() []*User { return slices.Clone(k.sorted) }

// modelNames maps every id, public name and alias to the ids of the models that
// bear it. A string that is one model's id and another's name stands for both.
func modelNames(models map[string]config.Model) map[string][]string {
	names := make(map[string][]string, 2*len(models))
	for id, m := range models {
		for _, name := range append([]string{id, cmp.Or(m.Name, id)}, m.Aliases...) {
			if !slices.Contains(names[name], id) {
				names[name] = append(names[name], id)
			}
		}
	}
	return names
}

func tokenDigest(c config.User) (digest [sha256.Size]byte, ok bool) {
	if c.TokenSHA256 != "" {
		b, err := hex.DecodeString(c.TokenSHA256)
		if err != nil || len(b) != len(digest) {
			return digest, false
		}
		copy(digest[:], b)
		return digest, true
	}
	if c.Token.IsEmpty() {
		return digest, false
	}
	return digestOf(c.Token.Reveal()), true
}

// digestOf copies the token to the stack first: converting a string of more
// than 32 bytes to a slice would allocate, on every request.
func digestOf(token string) [sha256.Size]byte {
	var buf [256]byte
	if len(token) > len(buf) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(buf[:copy(buf[:], token)])
}

func prefix(digest *[sha256.Size]byte) uint64 { return binary.BigEndian.Uint64(digest[:8]) }
