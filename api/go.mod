module github.com/PPKunOfficial/berry-api/api

go 1.26

require (
	github.com/PPKunOfficial/berry-api/core v0.0.0
	github.com/PPKunOfficial/berry-api/loadbalance v0.0.0
	github.com/PPKunOfficial/berry-api/relay v0.0.0
	github.com/VictoriaMetrics/metrics v1.44.0
	github.com/gin-gonic/gin v1.12.0
	github.com/google/go-cmp v0.7.0
	github.com/rs/zerolog v1.35.1
	go.uber.org/goleak v1.3.0
)

replace (
	github.com/PPKunOfficial/berry-api/core => ../core
	github.com/PPKunOfficial/berry-api/loadbalance => ../loadbalance
	github.com/PPKunOfficial/berry-api/relay => ../relay
)
