module github.com/PPKunOfficial/berry-api/cli

go 1.26

require (
	github.com/PPKunOfficial/berry-api/core v0.0.0
	github.com/PPKunOfficial/berry-api/loadbalance v0.0.0
	github.com/PPKunOfficial/berry-api/relay v0.0.0
	charm.land/lipgloss/v2 v2.0.6
	github.com/rogpeppe/go-internal v1.16.0
	github.com/schollz/progressbar/v3 v3.19.1
	github.com/spf13/cobra v1.10.2
)

replace (
	github.com/PPKunOfficial/berry-api/core => ../core
	github.com/PPKunOfficial/berry-api/loadbalance => ../loadbalance
	github.com/PPKunOfficial/berry-api/relay => ../relay
)
