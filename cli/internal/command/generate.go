package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// generated is the result of generate-config.
type generated struct {
	Path     string `json:"path"` // "" when the text is in Config
	Advanced bool   `json:"advanced"`
	Config   string `json:"config"`
}

// generation is what generate-config is asked for.
type generation struct {
	output          string
	advanced, force bool
}

func newGenerateConfig(s *session) *cobra.Command {
	var g generation
	c := &cobra.Command{
		Use:   "generate-config",
		Short: "Write a commented configuration file to begin with",
		Long: "generate-config writes a commented configuration that is valid as it is. Without --output\n" +
			"it goes to standard output. A file that is there already is left alone unless --force is\n" +
			"given; the new one can be read by its owner only, as it is going to hold secrets.",
		Example: "  berry-cli generate-config -o config.toml\n  berry-cli generate-config --advanced | less",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return generateConfig(s, g) },
	}
	c.Flags().StringVarP(&g.output, "output", "o", "", "write to `FILE`, mode 600; - is standard output")
	c.Flags().BoolVar(&g.advanced, "advanced", false, "every key, with its default and meaning")
	c.Flags().BoolVar(&g.force, "force", false, "overwrite FILE if it is there")
	return c
}

func generateConfig(s *session, g generation) error {
	if g.output == "-" { // as elsewhere; a file of that name is nothing that anybody wants
		g.output = ""
	}
	if g.force && g.output == "" {
		return errors.New("--force needs --output")
	}
	text := config.Basic()
	if g.advanced {
		text = config.Advanced()
	}
	result := generated{Path: g.output, Advanced: g.advanced}
	if g.output == "" {
		if s.json {
			result.Config = string(text)
			return s.object(result)
		}
		if _, err := s.Out.Write(text); err != nil {
			return cannot("write the configuration: %w", err)
		}
		return nil
	}
	if err := writeConfig(g, text); err != nil {
		return err
	}
	if s.json {
		return s.object(result)
	}
	s.good("Configuration written to %s", g.output)
	fmt.Fprintf(s.Out, "  Fill in the providers, then: berry-cli validate-config -c %s\n", g.output)
	return nil
}

// secretMode is for files that hold secrets.
const secretMode = 0o600

func writeConfig(g generation, text []byte) error {
	if g.force {
		return replace(g.output, text)
	}
	f, err := os.OpenFile(g.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, secretMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return cannot("write %s: it is there already; --force overwrites it", g.output)
	case err != nil:
		return cannot("write the configuration: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(g.output) // half a file helps nobody
		return cannot("write the configuration: %w", err)
	}
	return nil
}

// replace puts a new file in the place of an old one, whose mode may have been
// too open, in one step: a server that watches it sees the old or the new.
func replace(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return cannot("write %s: it is no regular file", path)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".berry-*.toml") // its mode is 600
	if err != nil {
		return cannot("write the configuration: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return cannot("write the configuration: %w", err)
	}
	return nil
}
