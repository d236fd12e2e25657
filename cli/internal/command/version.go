package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is the result of version.
type build struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func newVersion(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return printVersion(s) },
	}
}

func printVersion(s *session) error {
	b := build{Version: version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if s.json {
		return s.object(b)
	}
	fmt.Fprintf(s.Out, "berry-cli %s (%s, %s/%s)\n", b.Version, b.Go, b.OS, b.Arch)
	return nil
}

// stamp is the version that a release's build gives the linker: -X and this
// package's path, then .stamp=v1.2.3. The go command knows no version of a module
// that is built in its repository, when that has several. Nothing writes it.
var stamp string

// version is the stamp, else that of the module, which `go install` of a
// release knows; "dev" when there is neither.
func version() string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
