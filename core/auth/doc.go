// Package auth decides who may do what: it knows the users by their tokens,
// the models and backends that each may use, and how much of it.
//
// A Keyring is one configuration's users and never changes; a reload makes a
// new one. A Limiter and a Guard hold what must outlive reloads: the counters
// of each user's limits, and the addresses that guess tokens. The server asks
// them in this order, per request:
//
//	range auth.Tokens(r.Header)         // no token: 401
//	user, ok := keys.Lookup(token)      // none known: guard.Failed(address), then 401 or 429
//	user.Enabled, user.MayUse(model)    // no: 403
//	limiter.Acquire(user, &permit)      // *Denied: 429
//	defer permit.Release()
//
// Nothing here reads a body, does I/O, or starts a goroutine, and no error or
// log text of this package holds a token.
package auth
