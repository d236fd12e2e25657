package manual_test

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/cli/internal/manual"
)

// A whole page, with what roff would take for orders: dots, quotes, hyphens
// and backslashes.
func TestPage(t *testing.T) {
	root := &cobra.Command{Use: "tool", Short: "Do things"}
	root.PersistentFlags().StringP("config", "c", "", "configuration `FILE`")
	run := func(*cobra.Command, []string) {}
	fish := &cobra.Command{
		Use: "fry-fish NAME", Short: "Fry a fish", Run: run,
		Long:    "fry-fish fries\n.one fish\n'of many.\n\n  as it is: \\fB\n\nThe end.",
		Example: "  tool fry-fish -n 2\n  .tool",
	}
	fish.Flags().IntP("number", "n", 20, "how many")
	fish.Flags().StringSlice("with", []string{"salt", "oil"}, "`NAMES` of what goes with it")
	fish.Flags().Bool("secret", false, "not shown")
	if err := fish.Flags().MarkHidden("secret"); err != nil {
		t.Fatal(err)
	}
	root.AddCommand(fish, &cobra.Command{Use: "hidden", Hidden: true, Run: run})
	pages := manual.Pages(root)
	if len(pages) != 2 {
		t.Errorf("%d pages", len(pages))
	}
	const want = `.TH TOOL-FRY-FISH 1 "" "Berry API" "Berry API"
.SH NAME
tool-fry-fish \- Fry a fish
.SH SYNOPSIS
\fBtool fry\-fish\fP NAME [flags]
.SH DESCRIPTION
fry\-fish fries
\&.one fish
\&'of many.
.PP
.nf
  as it is: \efB
.fi
.PP
The end.
.SH OPTIONS
.TP
\fB\-h\fP, \fB\-\-help\fP
help for fry\-fish
.TP
\fB\-n\fP, \fB\-\-number\fP \fIint\fP
how many (default 20)
.TP
\fB\-\-with\fP \fINAMES\fP
NAMES of what goes with it (default salt, oil)
.SH OPTIONS OF EVERY COMMAND
.TP
\fB\-c\fP, \fB\-\-config\fP \fIFILE\fP
configuration FILE
.SH EXAMPLES
.nf
  tool fry\-fish \-n 2
  .tool
.fi
.SH EXIT STATUS
0 for good, 1 for not good, 2 for wrong usage.
.SH SEE ALSO
\fBtool\fP(1)
`
	if got := string(pages["tool-fry-fish.1"]); got != want {
		t.Errorf("got\n%s", got)
	}
}
