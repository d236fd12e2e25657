package config

import "time"

// Config is one whole configuration: what the file says, defaults filled in.
// It is data only and is not changed after Load returned it.
//
// The struct tags below are the one source of the defaults, of the ranges
// that the loader checks, of generate-config's template and of the
// documentation. The tags are read by describe, which lists them.
type Config struct {
	Settings  Settings            `toml:"settings" doc:"What holds for the whole server."`
	Providers map[string]Provider `toml:"providers" doc:"Accounts somewhere: a URL, a key and a wire format each."`
	Models    map[string]Model    `toml:"models" doc:"Public names, each with a strategy and a list of backends."`
	Users     map[string]User     `toml:"users" doc:"Who may call, with what token, and how much."`
}

// Seconds is a length of time as the file writes it: a number of seconds,
// whole or fractional.
type Seconds float64

// Duration converts s to a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Settings is the [settings] table.
type Settings struct {
	BindAddress         string `toml:"bind_address" default:"127.0.0.1:3000" env:"BIND_ADDRESS" doc:"Where the server listens: host:port, or unix:/path for a Unix socket."`
	AdminBindAddress    string `toml:"admin_bind_address" sample:"127.0.0.1:3001" doc:"If set, the admin, metrics and smart-ai routes and the dashboard's data are served only there."`
	MaxConnections      int    `toml:"max_connections" default:"0" min:"0" max:"10000000" env:"MAX_CONNECTIONS" doc:"Most client connections at a time, 0 for no limit. Above it new connections wait, they are not dropped, and those that are idle give way to them."`
	MaxRequestBodyBytes int64  `toml:"max_request_body_bytes" default:"67108864" min:"1" max:"1073741824" doc:"Largest request body (64 MiB unless set). Larger ones get 413."`

	RequestTimeoutSeconds    Seconds `toml:"request_timeout_seconds" default:"30" min:"0.01" max:"3600" doc:"Until the first content of a streamed answer. A provider's timeout_seconds goes first."`
	NonStreamTimeoutSeconds  Seconds `toml:"non_stream_timeout_seconds" default:"600" min:"0.01" max:"86400" doc:"For the whole answer when the client did not ask for a stream. For speech, and for images and audio as a stream: until the first content."`
	StreamIdleTimeoutSeconds Seconds `toml:"stream_idle_timeout_seconds" default:"60" min:"0.01" max:"86400" doc:"Longest silence inside a stream."`
	ConnectTimeoutSeconds    Seconds `toml:"connect_timeout_seconds" default:"10" min:"0.01" max:"600" doc:"TCP and TLS, together."`

	MaxRetries            int     `toml:"max_retries" default:"3" min:"0" max:"10" doc:"Attempts after the first, over all backends of one request."`
	MaxInternalRetries    int     `toml:"max_internal_retries" default:"2" min:"0" max:"10" doc:"How many other backends one request may move on to."`
	RetryAfterWaitSeconds Seconds `toml:"retry_after_wait_seconds" default:"0" min:"0" max:"3600" doc:"Wait in place for a 429 or 503 whose Retry-After is at most this, instead of moving on. With nowhere to move on, up to 5 seconds are always waited."`
	RetryBudgetRatio      float64 `toml:"retry_budget_ratio" default:"0.2" min:"0" max:"1" doc:"Retries may be at most this share of a backend's traffic, with a small floor for low traffic."`

	HealthCheckIntervalSeconds     Seconds `toml:"health_check_interval_seconds" default:"30" min:"0" max:"86400" doc:"Time between active checks of a provider, with jitter. 0 turns active checks off."`
	HealthCheckTimeoutSeconds      Seconds `toml:"health_check_timeout_seconds" default:"10" min:"0.01" max:"600" doc:"How long one check may take."`
	RecoveryCheckIntervalSeconds   Seconds `toml:"recovery_check_interval_seconds" default:"120" min:"0.01" max:"86400" doc:"Upper bound of the growing pause between recovery probes of an unhealthy backend."`
	CircuitBreakerFailureThreshold int     `toml:"circuit_breaker_failure_threshold" default:"5" min:"1" max:"1000" doc:"Consecutive failures that open a backend's breaker."`
	CircuitBreakerTimeoutSeconds   Seconds `toml:"circuit_breaker_timeout_seconds" default:"60" min:"0.01" max:"86400" doc:"How long an open breaker lets nothing through before one trial. When a model has nothing else left, a request a second is a trial."`

	ShutdownGraceSeconds   Seconds `toml:"shutdown_grace_seconds" default:"30" min:"0" max:"3600" doc:"How long requests may go on after the server was told to stop. Those that are left then get a 503, or an error at the end of their stream."`
	StreamKeepaliveSeconds Seconds `toml:"stream_keepalive_seconds" default:"15" min:"0" max:"3600" doc:"A comment line is sent when an open stream is silent for this long. 0 turns it off."`
	StreamResume           string  `toml:"stream_resume" default:"off" enum:"off|replay" doc:"What to do when a stream breaks after content: end it with an error (off), or run the request again on another backend and go on where the text stopped (replay)."`
	OnClientDisconnect     string  `toml:"on_client_disconnect" default:"cancel" enum:"cancel|finish" doc:"When the client leaves: cancel the upstream call, or read on in the background, within bounds, to learn the usage (finish)."`

	LogLevel        string `toml:"log_level" default:"info" doc:"Lowest level that is logged: trace, debug, info, warn or error; also by part, as in info,relay=debug. The parts are api, auth, config, loadbalance and relay. The variable BERRY_LOG (or RUST_LOG) goes first."`
	LogFormat       string `toml:"log_format" default:"auto" enum:"json|console|auto" doc:"JSON lines, or text for people; auto is text on a terminal."`
	LogFile         string `toml:"log_file" sample:"logs/berry-api.log" doc:"Besides standard output: a file, rotated by size and age. A relative path starts at the working directory."`
	LogRequestBody  bool   `toml:"log_request_body" default:"false" doc:"Debug aid: log request bodies, cut to a bounded length, secrets masked."`
	LogResponseBody bool   `toml:"log_response_body" default:"false" doc:"Debug aid: log answers, cut to a bounded length, secrets masked."`
	MaskAPIKeys     bool   `toml:"mask_api_keys" default:"true" doc:"Show keys and tokens as ***. false is refused unless log_level is debug or trace, and even then shows only the first and last four characters."`

	PublicStatus       bool     `toml:"public_status" default:"true" doc:"Whether /metrics, /prometheus and /smart-ai/* answer without a token. false asks for an admin's token."`
	CORSAllowedOrigins []string `toml:"cors_allowed_origins" sample:"https://chat.example.com" doc:"Origins whose pages may call from a browser: https://host, or * for all."`
	TrustedProxies     []string `toml:"trusted_proxies" sample:"10.0.0.0/8" doc:"Addresses or networks (CIDR) of proxies whose X-Forwarded-For is believed. None unless listed."`

	TLS TLS `toml:"tls" doc:"Serve HTTPS: both files or neither."`
	// HSTS and SecurityHeaders are on when TLS is configured, unless the file says otherwise.
	HSTS            bool `toml:"hsts" unset:"on when tls is set" doc:"Send Strict-Transport-Security."`
	SecurityHeaders bool `toml:"security_headers" unset:"on when tls is set" doc:"Send X-XSS-Protection with the dashboard; X-Frame-Options, X-Content-Type-Options and a Content-Security-Policy are always there."`

	SmartAI SmartAI `toml:"smart_ai" doc:"The smart_ai strategy: how confidence in a backend moves."`
}

// TLS is [settings.tls]: both files or neither.
type TLS struct {
	CertFile string `toml:"cert_file" sample:"tls/cert.pem" doc:"Certificate chain, PEM. Read again when it changes. A relative path starts at the folder of the configuration file."`
	KeyFile  string `toml:"key_file" sample:"tls/key.pem" doc:"Private key, PEM. Read again when it changes. A relative path starts at the folder of the configuration file."`
}

// SmartAI is [settings.smart_ai].
type SmartAI struct {
	InitialConfidence               float64               `toml:"initial_confidence" default:"0.8" min:"0" max:"1" doc:"Confidence that a backend starts with."`
	MinConfidence                   float64               `toml:"min_confidence" default:"0.05" min:"0" max:"1" doc:"Floor of the confidence; at most initial_confidence."`
	EnableTimeDecay                 bool                  `toml:"enable_time_decay" default:"true" doc:"Let the confidence of an idle backend drift back toward initial_confidence."`
	LightweightCheckIntervalSeconds Seconds               `toml:"lightweight_check_interval_seconds" default:"600" min:"0.01" max:"86400" doc:"Time between free checks of backends without traffic."`
	ExplorationRatio                float64               `toml:"exploration_ratio" default:"0.2" min:"0" max:"1" doc:"Share of requests that try backends other than the best."`
	NonPremiumStabilityBonus        float64               `toml:"non_premium_stability_bonus" default:"1.1" min:"0" max:"10" doc:"Factor for a backend that is not premium and has a confidence above 0.9."`
	ConfidenceAdjustments           ConfidenceAdjustments `toml:"confidence_adjustments" doc:"How far one result moves the confidence."`
}

// ConfidenceAdjustments is [settings.smart_ai.confidence_adjustments].
type ConfidenceAdjustments struct {
	SuccessBoost        float64 `toml:"success_boost" default:"0.1" min:"0" max:"1" doc:"Added by a success."`
	NetworkErrorPenalty float64 `toml:"network_error_penalty" default:"0.3" min:"0" max:"1" doc:"Taken by a failed connection."`
	AuthErrorPenalty    float64 `toml:"auth_error_penalty" default:"0.8" min:"0" max:"1" doc:"Taken when the provider refuses our key."`
	RateLimitPenalty    float64 `toml:"rate_limit_penalty" default:"0.1" min:"0" max:"1" doc:"Taken by a 429."`
	ServerErrorPenalty  float64 `toml:"server_error_penalty" default:"0.2" min:"0" max:"1" doc:"Taken by a 5xx or an unreadable answer."`
	ModelErrorPenalty   float64 `toml:"model_error_penalty" default:"0.3" min:"0" max:"1" doc:"Taken when the provider does not know the model."`
	TimeoutPenalty      float64 `toml:"timeout_penalty" default:"0.2" min:"0" max:"1" doc:"Taken by a timeout."`
}

// Provider is one [providers.<id>]: an account somewhere.
type Provider struct {
	ID   string `toml:"-"` // the table's key
	Name string `toml:"name" unset:"the id" sample:"OpenAI" doc:"Name for people."`

	// BaseURL is, after loading, absolute, without a trailing slash, and with /v1 where the rules add it.
	BaseURL string `toml:"base_url" required:"true" sample:"https://api.openai.com/v1" doc:"Where the provider answers, http or https. For backend_type openai an empty path means /v1; any other path is used as given. No user, query or fragment."`
	// APIKey is, after loading, also what api_key_file held.
	APIKey      Secret   `toml:"api_key" sample:"${OPENAI_API_KEY}" doc:"The credential. Empty sends none."`
	APIKeyFile  string   `toml:"api_key_file" sample:"/run/secrets/openai" doc:"Read the credential from this file instead of api_key. A relative path starts at the folder of the configuration file."`
	Models      []string `toml:"models" sample:"gpt-4o|gpt-4o-mini" doc:"The provider's own model names. Empty means that listings are not checked against them."`
	BackendType string   `toml:"backend_type" default:"openai" enum:"openai|azure|claude|anthropic|gemini" doc:"Wire format. anthropic is another word for claude. openai on a host ending in .openai.azure.com or .cognitiveservices.azure.com means azure."`
	APIVersion  string   `toml:"api_version" sample:"2024-10-21" doc:"azure: the api-version of the query, also taken from a header of that name; none selects Azure's v1 path. claude: replaces Berry's anthropic-version."`
	MaxTokens   int64    `toml:"max_tokens" unset:"by model" min:"1" max:"1000000" sample:"8192" doc:"claude: the bound on an answer whose request sets none, which Anthropic's format demands. Unset: 32000, or what an older model can (Claude 3.5 and unknown names 8192, Claude 3 and before 4096)."`
	TokenLimit  string   `toml:"token_limit" default:"as_sent" enum:"as_sent|max_tokens|max_completion_tokens" doc:"openai and azure: the name under which a request's bound on the answer goes out. as_sent leaves the client's own: models that reason refuse max_tokens, older servers do not know max_completion_tokens."`
	Headers     Headers  `toml:"headers" sample:"X-Team=search" doc:"Sent upstream with every request, over Berry's own headers."`
	Enabled     bool     `toml:"enabled" default:"true" doc:"false: no traffic and no checks."`

	// TimeoutSeconds is, after loading, settings.request_timeout_seconds where unset.
	TimeoutSeconds        Seconds    `toml:"timeout_seconds" min:"1" max:"3600" unset:"settings.request_timeout_seconds" sample:"30" doc:"Until the first content of a streamed answer of this provider."`
	MaxRetries            int        `toml:"max_retries" default:"1" min:"0" max:"10" doc:"Retries at this provider inside one request."`
	HealthCheck           string     `toml:"health_check" default:"auto" enum:"auto|models|chat|tcp|off" doc:"How the provider is checked: by its model list, a one-token chat (costs money), a TCP or TLS connection, or not at all. auto is the model list, or the connection where there is no list."`
	Reasoning             bool       `toml:"reasoning" default:"true" doc:"Pass the model's reasoning text (reasoning_content) on to clients. Switch off for clients that stumble over the extra field."`
	ReasoningBack         bool       `toml:"reasoning_back" default:"false" doc:"openai: the provider wants its own earlier reasoning back with the conversation, as reasoning_content, such as those that reason between tool calls. Clients of OpenAI's send it themselves or not; this is for clients of Anthropic's."`
	StreamUsage           bool       `toml:"stream_usage" default:"true" doc:"Ask a streaming provider for the token usage. Switch off for servers that refuse stream_options.include_usage."`
	SafetySettings        Thresholds `toml:"safety_settings" sample:"HARM_CATEGORY_HARASSMENT=BLOCK_ONLY_HIGH" doc:"gemini: the threshold of each harm category, such as BLOCK_NONE, sent with every request. Categories that are left out keep Google's default."`
	MaxConcurrentRequests int        `toml:"max_concurrent_requests" default:"0" min:"0" max:"1000000" doc:"Most requests in flight at this provider, 0 for no limit."`
	Discover              bool       `toml:"discover" default:"false" doc:"Serve the models that the provider's list names under their own names, balanced over all discovering providers that have them. The list is read at the start and every settings.health_check_interval_seconds. What models defines wins. Not for azure, whose list does not name deployments, and not with health_check chat, which would pay for every model found."`
}

// Thresholds are Gemini's safety settings: a threshold by harm category.
type Thresholds map[string]string

// Wire formats, the values of backend_type after loading.
const (
	TypeOpenAI = "openai"
	TypeAzure  = "azure"
	TypeClaude = "claude"
	TypeGemini = "gemini"
)

// TokenLimitAsSent as token_limit leaves the client's own name of the bound.
const TokenLimitAsSent = "as_sent"

// Model is one [models.<id>]: a public name with a strategy and its listings.
type Model struct {
	ID              string    `toml:"-"` // the table's key
	Name            string    `toml:"name" unset:"the id" sample:"gpt-4o" doc:"What clients write as model. No white space; unique among names and aliases."`
	Aliases         []string  `toml:"aliases" sample:"gpt-4o-latest" doc:"More names for it."`
	Strategy        string    `toml:"strategy" default:"weighted_failover" enum:"weighted_random|round_robin|least_latency|failover|random|weighted_failover|smart_weighted_failover|smart_ai" doc:"How a backend is picked."`
	ContextFallback string    `toml:"context_fallback" sample:"long_context" doc:"Id of the model that answers when a backend says that the prompt is too long for it."`
	Enabled         bool      `toml:"enabled" default:"true" doc:"false: the model is unknown to clients."`
	Backends        []Listing `toml:"backends" doc:"The backends that may answer. A model whose backends are all disabled answers 503."`
}

// Listing is one [[models.<id>.backends]]: a backend's entry in a model.
type Listing struct {
	Provider     string   `toml:"provider" required:"true" sample:"openai" doc:"Id of the provider."`                                                             // a provider id
	Model        string   `toml:"model" required:"true" sample:"gpt-4o" doc:"The provider's own name for the model; in the provider's models if that names any."` // the upstream's name for it
	Weight       float64  `toml:"weight" default:"1" above:"0" max:"100" doc:"Share of the traffic, relative to the other backends."`
	Priority     int      `toml:"priority" default:"0" min:"0" max:"10" doc:"For failover: the smallest that is healthy is used."`
	Enabled      bool     `toml:"enabled" default:"true" doc:"false: no traffic by way of this model."`
	Tags         []string `toml:"tags" sample:"premium" doc:"Who may use it: users without tags, and users sharing one of these; none means everybody. premium also means expensive to smart_ai."`
	BillingMode  string   `toml:"billing_mode" default:"per_token" enum:"per_token|per_request" doc:"per_request backends are never probed with anything that costs."`
	InputPrice   float64  `toml:"input_price" default:"0" min:"0" max:"1000000" doc:"US dollars per million tokens of the prompt."`  // USD per million tokens
	OutputPrice  float64  `toml:"output_price" default:"0" min:"0" max:"1000000" doc:"US dollars per million tokens of the answer."` // USD per million tokens
	RequestPrice float64  `toml:"request_price" default:"0" min:"0" max:"1000000" doc:"US dollars per request."`                     // USD per request
}

// Backend is the listing's backend id, "provider:model".
func (l Listing) Backend() string { return l.Provider + ":" + l.Model }

// Values of settings that the gateway acts on.
const (
	ResumeReplay     = "replay" // of stream_resume
	DisconnectFinish = "finish" // of on_client_disconnect
)

// Billing modes.
const (
	PerToken   = "per_token"
	PerRequest = "per_request"
)

// User is one [users.<id>].
type User struct {
	ID            string    `toml:"-"` // the table's key
	Name          string    `toml:"name" unset:"the id" sample:"Ann" doc:"Name for people."`
	Token         Secret    `toml:"token" sample:"${ANN_TOKEN}" doc:"What the user sends as its key. Exactly one of token, token_file and token_sha256 is needed; at least 16 characters are advised."` // after loading: also what token_file held
	TokenFile     string    `toml:"token_file" sample:"/run/secrets/ann" doc:"Read the token from this file. A relative path starts at the folder of the configuration file."`
	TokenSHA256   string    `toml:"token_sha256" json:"-" secret:"true" sample:"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" doc:"The token's SHA-256 as 64 hex digits, so that the file need not hold the token."` // lower case; after loading: set for every user
	AllowedModels []string  `toml:"allowed_models" sample:"gpt-4o|claude-sonnet" doc:"Ids, names or aliases of the models that the user may use. Empty means all."`
	Enabled       bool      `toml:"enabled" default:"true" doc:"false: the token is refused with 403."`
	Tags          []string  `toml:"tags" sample:"premium" doc:"Which tagged backends the user may use, see the tags of backends. admin lifts that filter and opens /admin."`
	RateLimit     RateLimit `toml:"rate_limit" doc:"How much the user may ask for. A limit that is not set does not exist."`
}

// RateLimit is [users.<id>.rate_limit]; 0 means no limit.
type RateLimit struct {
	RequestsPerMinute  int `toml:"requests_per_minute" min:"1" max:"1000000000" unset:"no limit" sample:"60" doc:"Requests in a minute."`
	RequestsPerHour    int `toml:"requests_per_hour" min:"1" max:"1000000000" unset:"no limit" sample:"1000" doc:"Requests in an hour; not below the limit of a minute."`
	RequestsPerDay     int `toml:"requests_per_day" min:"1" max:"1000000000" unset:"no limit" sample:"10000" doc:"Requests in a day; not below the limits of a minute and an hour."`
	TokensPerMinute    int `toml:"tokens_per_minute" min:"1" max:"1000000000" unset:"no limit" sample:"100000" doc:"Tokens in a minute, prompts and answers together."`
	ConcurrentRequests int `toml:"concurrent_requests" min:"1" max:"1000000" unset:"no limit" sample:"10" doc:"Requests at the same time."`
}
