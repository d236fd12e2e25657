// What the server's routes answer, as far as the page shows it. docs/openapi.yaml
// describes all of it.

export interface Count {
  total: number;
  healthy: number;
}

export interface Health {
  status: "healthy" | "degraded" | "unhealthy";
  timestamp: string;
  version: string;
  uptime_seconds: number;
  providers: Count;
  models: Count;
}

export interface ProviderMetrics {
  healthy: boolean;
  last_check: string | null;
  total_requests: number;
  successful_requests: number;
  failed_requests: number;
  average_latency_ms: number;
  models: Record<string, { healthy: boolean; requests: number; errors: number }>;
}

export interface Metrics {
  providers: Record<string, ProviderMetrics>;
}

export interface Weight {
  provider: string;
  model: string;
  weight: number;
  effective_weight: number;
  share: number;
  healthy: boolean;
  breaker: Breaker;
  excluded: string | null;
  priority: number;
  tags: string[];
  billing_mode: string;
}

export type Breaker = "closed" | "half_open" | "open";

export interface Model {
  id: string;
  strategy: string;
  backends: Weight[];
}

export interface Backend {
  provider: string;
  model: string;
  healthy: boolean;
  breaker: Breaker;
  consecutive_failures: number;
  in_flight: number;
  drained: boolean;
  cool_down_until: string | null;
  recovery_stage_percent: number;
  latency_ms: number | null;
  confidence: number;
  last_error: { kind: string; status: number | null; at: string | null } | null;
  last_success: string | null;
  last_check: string | null;
  next_check: string | null;
  total_requests: number;
  successful_requests: number;
  failed_requests: number;
}

export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
}

export interface Figures {
  requests: number;
  succeeded: number;
  failed: number;
  limited: number;
  refused: number;
  left: number;
  attempts: number;
  input_tokens: number;
  output_tokens: number;
  cost: number;
  latency_ms: Percentiles | null;
  ttft_ms: Percentiles | null;
}

export type Span = Figures & { seconds: number };
export type Point = Figures & { time: string };

export interface History {
  timestamp: string;
  step_seconds: number;
  recent: Span;
  kept: Span;
  points: Point[];
}

export interface Stats {
  uptime_seconds: number;
  go: { version: string; goroutines: number; cpus: number; heap_bytes: number; sys_bytes: number };
  users: number;
  models: number;
  configuration: {
    generation: number;
    loaded_at: string;
    sha256: string;
    last_reload: { at: string; successful: boolean } | null;
  };
}

export interface Usage {
  windows: { name: string; limit: number; used: number; remaining: number; resets_at: string }[];
  concurrent_requests: number;
  max_concurrent_requests: number;
}

export interface Candidate {
  provider: string;
  model: string;
  picked: boolean;
  excluded: string | null;
  weight: number;
  effective_weight: number;
  share: number;
  priority: number;
  latency_ms: number | null;
  confidence: number;
  cost: number;
  recovery_stage_percent: number;
  breaker: Breaker;
  healthy: boolean;
}

export interface Attempt {
  provider: string;
  model: string;
  why: string;
  kind: string;
  status: number | null;
  latency_ms: number;
  ttft_ms: number | null;
  pause_ms: number;
}

export interface Decision {
  sequence: number;
  request_id: string;
  time: string;
  user: string;
  endpoint: string;
  model: string;
  strategy: string;
  stream: boolean;
  candidates: Candidate[];
  omitted_candidates: number;
  attempts: Attempt[];
  outcome: string;
  status: number;
  committed: boolean;
  latency_ms: number;
  ttft_ms: number | null;
  input_tokens: number;
  output_tokens: number;
  estimated: boolean;
  cost: number;
}

// All that an administrator sees.
export interface Insight {
  models: Record<string, Model>;
  backends: Record<string, Backend>;
  history: History;
  stats: Stats;
  limits: Record<string, Usage>;
  decisions: Decision[]; // the newest first
}
