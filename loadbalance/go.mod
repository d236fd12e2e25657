module github.com/PPKunOfficial/berry-api/loadbalance

go 1.26
