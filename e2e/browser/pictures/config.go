package main

import "fmt"

// config is that of the server in the pictures.
func (w *world) config() string {
	return fmt.Sprintf(`[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
health_check_interval_seconds = 5
recovery_check_interval_seconds = 10
circuit_breaker_timeout_seconds = 10

[providers.openai]
base_url = %q
[providers.azure-eu]
base_url = %q
[providers.reseller]
base_url = %q
[providers.local]
base_url = %q

[models.gpt-4o]
strategy = "weighted_failover"
[[models.gpt-4o.backends]]
provider = "openai"
model = "gpt-4o"
weight = 0.7
input_price = 2.5
output_price = 10.0
[[models.gpt-4o.backends]]
provider = "azure-eu"
model = "gpt-4o"
weight = 0.3
input_price = 2.5
output_price = 10.0

[models.gpt-4o-mini]
strategy = "smart_ai"
[[models.gpt-4o-mini.backends]]
provider = "reseller"
model = "gpt-4o-mini"
request_price = 0.0002
billing_mode = "per_request"
[[models.gpt-4o-mini.backends]]
provider = "openai"
model = "gpt-4o"
input_price = 2.5
output_price = 10.0
tags = ["premium"]

[models.fast]
strategy = "least_latency"
backends = [{ provider = "local", model = "llama-3.3-70b" }, { provider = "azure-eu", model = "gpt-4o" }]

[models.llama]
strategy = "failover"
[[models.llama.backends]]
provider = "local"
model = "llama-3.3-70b"
priority = 1
[[models.llama.backends]]
provider = "reseller"
model = "gpt-4o-mini"
priority = 2

[users.ops]
token = %q
tags = ["admin"]
[users.search-team]
token = %q
rate_limit = { requests_per_minute = 600, requests_per_day = 50000, concurrent_requests = 40 }
[users.nightly]
token = %q
rate_limit = { requests_per_minute = 8, tokens_per_minute = 40000 }
`, w.providers["openai"].server.URL, w.providers["azure-eu"].server.URL, w.providers["reseller"].server.URL, w.providers["local"].server.URL,
		adminToken, userToken, scriptToken)
}

// emptyConfig has a user and nothing else.
func emptyConfig() string {
	return fmt.Sprintf("[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\n[users.ops]\ntoken = %q\ntags = [\"admin\"]\n", adminToken)
}
