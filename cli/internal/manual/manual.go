// Package manual makes the man pages of berry-cli from its commands, one page
// each, so that they say what --help says.
//
// Only cmd/berry-man calls it.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Pages returns the pages of root and of all below it that is not hidden, by
// file name. The same commands give the same bytes: there is no date in them.
func Pages(root *cobra.Command) map[string][]byte {
	pages := map[string][]byte{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		pages[pageName(c)+".1"] = []byte(page(c))
		for _, sub := range documented(c) {
			visit(sub)
		}
	}
	visit(root)
	return pages
}

// documented are the commands below c that have a page. The shells of
// completion have none: each would say what completion's own says.
func documented(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && c.Name() != "completion" {
			out = append(out, sub)
		}
	}
	return out
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func page(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	var p roff
	fmt.Fprintf(&p.Builder, ".TH %s 1 \"\" \"Berry API\" \"Berry API\"\n", strings.ToUpper(pageName(c)))
	p.section("NAME")
	p.line(pageName(c) + ` \- ` + text(c.Short))
	p.section("SYNOPSIS")
	path, rest, _ := strings.Cut(c.UseLine(), c.CommandPath())
	p.line(bold(path+c.CommandPath()) + text(rest))
	p.section("DESCRIPTION")
	p.prose(c.Long)
	if subs := documented(c); len(subs) > 0 {
		p.section("COMMANDS")
		for _, sub := range subs {
			p.entry(bold(pageName(sub))+"(1)", sub.Short)
		}
	}
	if c.Name() == "completion" {
		p.section("SHELLS")
		for _, sub := range c.Commands() {
			p.entry(bold(sub.Name()), sub.Short)
		}
	}
	p.flags("OPTIONS", c.LocalFlags())
	p.flags("OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(c.Example)
	}
	if !c.HasParent() {
		p.WriteString(general)
		return p.String()
	}
	p.section("EXIT STATUS")
	p.line("0 for good, 1 for not good, 2 for wrong usage.")
	p.section("SEE ALSO")
	p.line(bold(pageName(c.Root())) + "(1)")
	return p.String()
}

// general is what holds for every command, at the end of the first page.
const general = `.SH EXIT STATUS
.TP
\fB0\fP
good
.TP
\fB1\fP
not good: an invalid configuration, an unhealthy provider, a failed test, a file that cannot be written
.TP
\fB2\fP
wrong usage; nothing was done
.SH ENVIRONMENT
.TP
\fBCONFIG_PATH\fP
the configuration file, where \fB\-\-config\fP names none
.TP
\fBBERRY_ADMIN_TOKEN\fP
an admin's token for the running server, where \fB\-\-token\fP gives none
.TP
\fBNO_COLOR\fP
if not empty: no colours
.SH FILES
.TP
\fI./config.toml\fP, \fI./config\-example.toml\fP, \fI./config/smart_ai_example.toml\fP
the configuration: the first of them that is there, if neither \fB\-\-config\fP nor \fBCONFIG_PATH\fP names one
`

// roff is a page that is being written.
type roff struct{ strings.Builder }

func (p *roff) section(title string) { p.WriteString(".SH " + title + "\n") }

// line writes a line that is roff already.
func (p *roff) line(s string) { p.WriteString(s + "\n") }

// entry is a name with what it is, indented below it. The name is roff.
func (p *roff) entry(name, what string) { p.WriteString(".TP\n" + name + "\n" + text(what) + "\n") }

// prose writes paragraphs, which blank lines separate; indented lines stay lines.
func (p *roff) prose(s string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		if strings.HasPrefix(paragraph, " ") || strings.HasPrefix(paragraph, "\t") {
			p.verbatim(paragraph)
			continue
		}
		p.line(text(paragraph))
	}
}

func (p *roff) verbatim(s string) { p.WriteString(".nf\n" + text(s) + "\n.fi\n") }

func (p *roff) flags(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := bold("--" + f.Name)
		if f.Shorthand != "" {
			name = bold("-"+f.Shorthand) + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			name += ` \fI` + text(value) + `\fP`
		}
		switch standard := strings.Trim(f.DefValue, "[]"); standard {
		case "", "false", "0", "0s":
		default:
			usage += " (default " + strings.ReplaceAll(standard, ",", ", ") + ")"
		}
		p.entry(name, usage)
	})
}

func bold(s string) string { return `\fB` + text(s) + `\fP` }

// text is s with nothing in it that roff would take for an order.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
