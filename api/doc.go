// Package api is Berry's HTTP server: the routes, who may use which, and what
// can be seen of the gateway from outside.
//
// A Server is one configuration being served: it owns the listeners, the log
// and the metrics, and hands chat completions to a relay.Gateway, which picks
// the backends. New builds it, Listen opens its addresses, Run serves until its
// context ends and then drains.
//
// An exchange is one request at this server with its answer; a route is a
// method and a path pattern with the access that it asks for; a view is what
// the current runtime means to this package.
//
// The program berry-api is a few lines around this package, and so may yours
// be: Options take a strategy, an authenticator and an observer of your own.
// All exported methods are safe for concurrent use unless they say otherwise.
package api
