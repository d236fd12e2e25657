module github.com/PPKunOfficial/berry-api/examples/clients/go

go 1.26
