package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
)

// tokens is an api.Authenticator: who has a token that was signed with the
// secret is who it says. Anything that can sign can let users in, and no list
// of tokens is kept. The configuration still says what each user may do.
//
// A token is USER.EXPIRY.SIGNATURE: an id, a Unix time, and the HMAC-SHA-256 of
// what stands before it, in hex.
type tokens struct {
	secret []byte
	now    func() time.Time
}

func newTokens(secret string) (tokens, error) {
	const least = 32
	if len(secret) < least {
		return tokens{}, fmt.Errorf("TOKEN_SECRET needs %d characters or more", least)
	}
	return tokens{secret: []byte(secret), now: time.Now}, nil
}

func (t tokens) sign(user string, valid time.Duration) string {
	claim := user + "." + strconv.FormatInt(t.now().Add(valid).Unix(), 10)
	return claim + "." + hex.EncodeToString(t.mac(claim))
}

func (t tokens) mac(claim string) []byte {
	h := hmac.New(sha256.New, t.secret)
	h.Write([]byte(claim))
	return h.Sum(nil)
}

// Authenticate finds the user whom the request's token names.
func (t tokens) Authenticate(r *http.Request, keys *auth.Keyring) (*auth.User, error) {
	token, ok := auth.Token(r.Header)
	if !ok {
		return nil, apierror.New(apierror.MissingAPIKey, "no API key: send it as Authorization: Bearer KEY")
	}
	id, err := t.verify(token)
	if err != nil {
		return nil, apierror.New(apierror.InvalidAPIKey, "the API key %v", err)
	}
	user, ok := keys.User(id)
	if !ok {
		return nil, apierror.New(apierror.InvalidAPIKey, "the API key is of a user that does not exist any more")
	}
	return user, nil
}

// verify returns the user's id. Its errors hold no part of the token.
func (t tokens) verify(token string) (string, error) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return "", fmt.Errorf("is not one of this gateway")
	}
	claim := token[:end]
	signature, err := hex.DecodeString(token[end+1:])
	if err != nil || !hmac.Equal(signature, t.mac(claim)) {
		return "", fmt.Errorf("is not one of this gateway")
	}
	// From here on it is what sign made.
	end = strings.LastIndexByte(claim, '.')
	expiry, err := strconv.ParseInt(claim[end+1:], 10, 64)
	if end < 0 || err != nil || t.now().Unix() >= expiry {
		return "", fmt.Errorf("has expired")
	}
	return claim[:end], nil
}
