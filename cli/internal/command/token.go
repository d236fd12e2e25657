package command

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const (
	// tokenPrefix tells people and secret scanners whose token it is.
	tokenPrefix = "berry-"
	// tokenBytes of randomness, 256 bits, are beyond all guessing.
	tokenBytes = 32
	// shortToken is what the server calls easy to guess.
	shortToken = 16
	// longestToken bounds what is read from standard input.
	longestToken = 8 << 10
)

// hashed is the result of hash-token, and with Token that of generate-token.
type hashed struct {
	Token       string `json:"token,omitempty"`
	TokenSHA256 string `json:"token_sha256"`
}

func newHashToken(s *session) *cobra.Command {
	var token string
	c := &cobra.Command{
		Use:   "hash-token",
		Short: "Print a token's SHA-256, for token_sha256 in the configuration",
		Long: "hash-token reads a token from standard input, without an echo on a terminal, and prints\n" +
			"the token_sha256 line for [users.<id>], so that the file need not hold the token. One\n" +
			"newline at the end is not part of the token.",
		Example: "  berry-cli hash-token < token.txt\n  pass show berry | berry-cli hash-token",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("token") {
				var err error
				if token, err = s.readToken(c.Context()); err != nil {
					return err
				}
			}
			return s.hashToken(token)
		},
	}
	c.Flags().StringVar(&token, "token", "",
		"the `TOKEN` itself; beware: it stays in the shell's history and shows in the list of processes")
	return c
}

func (s *session) hashToken(token string) error {
	switch {
	case token == "":
		return errors.New("the token is empty; pipe it in: berry-cli hash-token < FILE")
	case bytes.ContainsFunc([]byte(token), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError }):
		return &failed{errors.New("a token must not hold white space or control characters: no client could send it")}
	case utf8.RuneCountInString(token) < shortToken:
		s.warn(s.Err, "the token has fewer than %d characters and is easy to guess; berry-cli generate-token makes a good one", shortToken)
	}
	h := hashed{TokenSHA256: hashOf(token)}
	if s.json {
		return s.object(h)
	}
	fmt.Fprintf(s.Out, "token_sha256 = %q\n", h.TokenSHA256)
	return nil
}

// readToken reads standard input as the server reads a token_file.
func (s *session) readToken(ctx context.Context) (string, error) {
	if f, ok := s.In.(*os.File); ok && isTerminal(f) {
		return s.askToken(ctx, int(f.Fd()))
	}
	text, err := io.ReadAll(io.LimitReader(s.In, longestToken+1))
	switch {
	case err != nil:
		return "", cannot("read the token: %w", err)
	case len(text) > longestToken:
		return "", cannot("read the token: it has more than %d bytes", longestToken)
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	return string(bytes.TrimSuffix(text, []byte("\r"))), nil
}

// askToken reads a line from a terminal without an echo.
func (s *session) askToken(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", cannot("read the token: %w", err)
	}
	// A signal must bring the echo back, and does not end a read: that one is
	// left behind for the end of the process.
	back := context.AfterFunc(ctx, func() {
		_ = term.Restore(terminal, before)
		os.Exit(exitNotGood)
	})
	defer back()
	fmt.Fprint(s.Err, "Token: ")
	text, err := term.ReadPassword(terminal)
	fmt.Fprintln(s.Err)
	if err != nil {
		return "", cannot("read the token: %w", err)
	}
	return string(text), nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func newGenerateToken(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "generate-token",
		Short: "Make a new token for a user",
		Long: "generate-token prints a new random token, for the user, and its token_sha256 line, for\n" +
			"[users.<id>] in the configuration. Nothing keeps the token: this is the only time it shows.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			var random [tokenBytes]byte
			rand.Read(random[:]) // never fails: it ends the program first
			token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
			h := hashed{Token: token, TokenSHA256: hashOf(token)}
			if s.json {
				return s.object(h)
			}
			fmt.Fprintf(s.Out, "%s\ntoken_sha256 = %q\n", h.Token, h.TokenSHA256)
			return nil
		},
	}
}
