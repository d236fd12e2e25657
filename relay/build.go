package relay

import (
	"fmt"
	"slices"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/azure"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/claude"
	"github.com/PPKunOfficial/berry-api/relay/dialect/gemini"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// dialectOf binds a provider to the dialect of its backend type.
func (g *Gateway) dialectOf(up dialect.Upstream) (dialect.Dialect, error) {
	switch up.Provider.BackendType {
	case config.TypeOpenAI:
		return openai.New(up), nil
	case config.TypeAzure:
		return azure.New(up), nil
	case config.TypeClaude:
		return claude.New(up, &g.thoughts), nil
	case config.TypeGemini:
		return gemini.New(up, &g.signatures), nil
	default: // a configuration that was not loaded but made
		return nil, fmt.Errorf("backend_type %q is not openai, azure, claude or gemini", up.Provider.BackendType)
	}
}

// build makes a configuration ready to serve, with what its discovering
// providers' lists name. It starts and opens nothing and changes nothing but
// the fleet, which learns new backends.
func (g *Gateway) build(cfg *config.Config, lists map[string][]string) (*Runtime, upstream.Connections, error) {
	rt := &Runtime{
		Config:    cfg,
		Keys:      g.keyring(cfg),
		byName:    map[string]*Model{},
		byID:      map[string]*Model{},
		upstreams: map[string]*upstream.Upstream{},
		limits: limits{
			body:        cfg.Settings.MaxRequestBodyBytes,
			nonStream:   cfg.Settings.NonStreamTimeoutSeconds.Duration(),
			idle:        cfg.Settings.StreamIdleTimeoutSeconds.Duration(),
			keepalive:   cfg.Settings.StreamKeepaliveSeconds.Duration(),
			retries:     cfg.Settings.MaxRetries,
			moves:       cfg.Settings.MaxInternalRetries,
			waitInPlace: cfg.Settings.RetryAfterWaitSeconds.Duration(),
			readOn:      cfg.Settings.OnClientDisconnect == config.DisconnectFinish,
			resume:      cfg.Settings.StreamResume == config.ResumeReplay,
		},
	}
	dials := upstream.Connections{}
	for id, p := range cfg.Providers {
		p.ID = id
		up, err := g.upstream(dials, p, &cfg.Settings)
		if err != nil {
			return nil, nil, fmt.Errorf("providers.%s: %w", id, err)
		}
		if up != nil {
			rt.upstreams[id] = up
		}
	}
	for id, mc := range cfg.Models {
		if !mc.Enabled {
			continue
		}
		mc.ID = id
		m, err := g.model(rt, mc, configured)
		if err != nil {
			return nil, nil, fmt.Errorf("models.%s: %w", id, err)
		}
		rt.models = append(rt.models, m)
		rt.byID[id] = m
		rt.byName[m.Name] = m
		for _, a := range m.Aliases {
			rt.byName[a] = m
		}
	}
	if err := g.discovered(rt, lists); err != nil {
		return nil, nil, err
	}
	sortModels(rt.models)
	return rt, dials, nil
}

// upstream makes a provider ready, and puts its connections into dials; nil for one
// that is disabled.
func (g *Gateway) upstream(dials upstream.Connections, p config.Provider, s *config.Settings) (*upstream.Upstream, error) {
	if !p.Enabled {
		return nil, nil
	}
	first := p.TimeoutSeconds
	if first <= 0 {
		first = s.RequestTimeoutSeconds
	}
	o := upstream.Options{UserAgent: g.userAgent, Connect: s.ConnectTimeoutSeconds.Duration(), FirstContent: first.Duration()}
	if old := g.keptUpstream(&p, o); old != nil {
		dials[p.ID] = g.connections[p.ID]
		return old, nil
	}
	up, err := upstream.New(p, o)
	if err != nil {
		return nil, err
	}
	if up.Dialect, err = g.dialectOf(up.Upstream); err != nil {
		return nil, err
	}
	g.connections.Connect(dials, up)
	return up, nil
}

// provenance is where a model comes from.
type provenance bool

const (
	configured provenance = false
	listed     provenance = true // its providers' lists name it
)

func (g *Gateway) model(rt *Runtime, mc config.Model, from provenance) (*Model, error) {
	if m := g.keptModel(rt, mc, from); m != nil {
		return m, nil
	}
	m := &Model{
		ID: mc.ID, Name: mc.Name, Aliases: slices.Clone(mc.Aliases), Strategy: mc.Strategy,
		Discovered: from == listed, source: mc, fallback: mc.ContextFallback,
	}
	for _, l := range mc.Backends {
		up, ok := rt.upstreams[l.Provider]
		if !l.Enabled || !ok {
			continue
		}
		m.Listings = append(m.Listings, l)
		m.targets = append(m.targets, target{
			up: up, listing: l, backend: l.Backend(), use: g.uses.of(l.Backend()), model: chat.AppendText(nil, l.Model),
			providerHeader: []string{l.Provider}, modelHeader: []string{l.Model},
		})
	}
	if len(m.Listings) > 0 { // else there is nothing to pick from: Serve answers 503
		var replaces *loadbalance.Balancer
		if rt := g.current.Load(); rt != nil && rt.byID[mc.ID] != nil {
			replaces = rt.byID[mc.ID].Balancer
		}
		if err := g.balance(m, replaces); err != nil {
			return nil, err
		}
	}
	return m, g.offer(m)
}

func (g *Gateway) strategyOf(name string) (loadbalance.Strategy, error) {
	if g.strategy != nil {
		if s, ok := g.strategy(name); ok {
			return s, nil
		}
	}
	return loadbalance.ParseStrategy(name)
}

// Listing is a listing as a balancer takes it. Its backend is named as
// config.Listing.Backend says, its group is the provider.
func Listing(l config.Listing) loadbalance.Listing {
	return loadbalance.Listing{
		ID: l.Backend(), Group: l.Provider, Weight: l.Weight, Priority: l.Priority,
		Tags: slices.Clone(l.Tags), PerRequest: l.BillingMode == config.PerRequest,
		InputPrice: l.InputPrice, OutputPrice: l.OutputPrice, RequestPrice: l.RequestPrice,
	}
}

// Policy is the fleet's part of a configuration: how backends are judged and
// checked. Gateways use it themselves; programs that balance by a configuration
// without serving it, such as a simulation, may.
func Policy(cfg *config.Config) loadbalance.Policy {
	s := &cfg.Settings
	a := &s.SmartAI.ConfidenceAdjustments
	p := loadbalance.Policy{
		FailureThreshold: s.CircuitBreakerFailureThreshold,
		OpenTimeout:      s.CircuitBreakerTimeoutSeconds.Duration(),
		CheckInterval:    s.HealthCheckIntervalSeconds.Duration(),
		CheckTimeout:     s.HealthCheckTimeoutSeconds.Duration(),
		RecoveryInterval: s.RecoveryCheckIntervalSeconds.Duration(),
		RetryRatio:       s.RetryBudgetRatio,
		Groups:           make(map[string]loadbalance.Group, len(cfg.Providers)),
		SmartAI: loadbalance.SmartAI{
			InitialConfidence:  s.SmartAI.InitialConfidence,
			MinConfidence:      s.SmartAI.MinConfidence,
			TimeDecay:          s.SmartAI.EnableTimeDecay,
			LightCheckInterval: s.SmartAI.LightweightCheckIntervalSeconds.Duration(),
			ExplorationRatio:   s.SmartAI.ExplorationRatio,
			StabilityBonus:     s.SmartAI.NonPremiumStabilityBonus,
			SuccessBoost:       a.SuccessBoost,
			NetworkPenalty:     a.NetworkErrorPenalty,
			AuthPenalty:        a.AuthErrorPenalty,
			RateLimitPenalty:   a.RateLimitPenalty,
			ServerPenalty:      a.ServerErrorPenalty,
			ModelPenalty:       a.ModelErrorPenalty,
			TimeoutPenalty:     a.TimeoutPenalty,
		},
	}
	for id, pr := range cfg.Providers {
		p.Groups[id] = loadbalance.Group{MaxConcurrent: pr.MaxConcurrentRequests, Check: checkKind(pr.HealthCheck)}
	}
	return p
}

func checkKind(name string) loadbalance.CheckKind {
	switch name {
	case "models":
		return loadbalance.CheckList
	case "chat":
		return loadbalance.CheckChat
	case "tcp":
		return loadbalance.CheckConnect
	case "off":
		return loadbalance.CheckNone
	default:
		return loadbalance.CheckAuto
	}
}
