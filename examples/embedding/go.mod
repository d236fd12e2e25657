module github.com/PPKunOfficial/berry-api/examples/embedding

go 1.26

require github.com/PPKunOfficial/berry-api/loadbalance v0.1.0
