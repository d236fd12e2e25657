package auth

import (
	"slices"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// AdminTag is the user tag that opens the admin views and lifts the tag filter on backends.
const AdminTag = "admin"

// User is one caller as the configuration describes it. It belongs to its
// Keyring: read it, do not change it.
type User struct {
	ID      string // key of the [users.<id>] table; safe to log, unlike a token
	Name    string
	Tags    []string
	Admin   bool // has AdminTag
	Enabled bool // false: known, but refused with 403 rather than 401
	Limit   config.RateLimit

	anyModel bool                // allowed_models is empty
	allowed  map[string]struct{} // model ids
}

// MayUse reports whether the user may use the model with this id (the key of
// its [models.<id>] table, not its public name). Tags play no part in it.
func (u *User) MayUse(modelID string) bool {
	if u.anyModel {
		return true
	}
	_, ok := u.allowed[modelID]
	return ok
}

// MayUseTags reports whether the user may use a backend that is listed with
// these tags. A user without tags may use every backend; one with tags may use
// those without tags and those that share one; an admin may use all.
func (u *User) MayUseTags(tags []string) bool {
	if u.Admin || len(u.Tags) == 0 || len(tags) == 0 {
		return true
	}
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(u.Tags, t) })
}

// newUser resolves allowed_models through names: every name a model goes by, to the ids that bear it.
func newUser(id string, c config.User, names map[string][]string) *User {
	u := &User{
		ID:       id,
		Name:     c.Name,
		Tags:     slices.Clone(c.Tags),
		Admin:    slices.Contains(c.Tags, AdminTag),
		Enabled:  c.Enabled,
		Limit:    c.RateLimit,
		anyModel: len(c.AllowedModels) == 0,
		allowed:  make(map[string]struct{}, len(c.AllowedModels)),
	}
	for _, entry := range c.AllowedModels {
		// The entry itself stays in the set, for models that are found only at
		// run time: their id is their name.
		u.allowed[entry] = struct{}{}
		for _, modelID := range names[entry] {
			u.allowed[modelID] = struct{}{}
		}
	}
	return u
}
