// berry-cli is the operator's tool of Berry API: it checks configurations,
// providers and backends, makes tokens, and plays a provider to try things
// without a key.
package main

import (
	"os"

	"github.com/PPKunOfficial/berry-api/cli/internal/command"
)

func main() { os.Exit(command.Main()) }
