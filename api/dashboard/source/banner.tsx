import { ago, clock } from "./format";
import type { State } from "./live";
import type { Insight } from "./types";
import { name, serves, standing, type Tone } from "./words";

interface Message {
  tone: Tone;
  title: string;
  more: string;
}

// The Banner says in one sentence how things are. It is announced when it
// changes, so its words must not change with every tick.
export function Banner({ state, now }: { state: State; now: number }) {
  const { tone, title, more } = message(state);
  const troubles = state.insight && !state.lost ? troubled(state.insight, now) : [];
  return (
    <section class={`banner tone-${tone}`} aria-label="State">
      <div role="status">
        <h1>
          <span class="dot" aria-hidden="true" />
          {title}
        </h1>
        <p>{more}</p>
      </div>
      {troubles.length > 0 && (
        <ul class="troubles">
          {troubles.slice(0, 4).map((t) => (
            <li key={t.model}>
              <strong>{t.model}</strong> {t.why}
            </li>
          ))}
          {troubles.length > 4 && <li>and {troubles.length - 4} more</li>}
        </ul>
      )}
    </section>
  );
}

function message(state: State): Message {
  const { health: h } = state;
  if (state.lost) {
    return {
      tone: "bad",
      title: "Berry does not answer",
      more: state.answeredAt ? `What is shown is as of ${clock(state.answeredAt)}. The page goes on trying.` : "The page goes on trying.",
    };
  }
  if (!h) return { tone: "off", title: "Asking Berry how it is", more: "One moment." };
  const { total, healthy } = h.models;
  const all = `${total} ${total === 1 ? "model" : "models"}, ${h.providers.healthy} of ${h.providers.total} providers healthy.`;
  if (total === 0) return { tone: "off", title: "Nothing is configured yet", more: "There are no models. See docs/CONFIGURATION.md." };
  switch (h.status) {
    case "healthy":
      return { tone: "good", title: "All models can be served", more: all };
    case "degraded":
      return { tone: "warn", title: `${healthy} of ${total} models can be served`, more: `${h.providers.healthy} of ${h.providers.total} providers healthy. Requests for the other models are last resorts or get 503.` };
    default:
      return {
        tone: "bad",
        title: "No model can be served",
        more: `${h.providers.healthy} of ${h.providers.total} providers healthy. Berry sends requests to unhealthy backends as a last resort, answers 503 where there is none, and goes on checking.`,
      };
  }
}

// troubled lists the models that have no healthy backend, with the backends' state.
function troubled(insight: Insight, now: number): { model: string; why: string }[] {
  return Object.entries(insight.models)
    .filter(([, m]) => !serves(m))
    .map(([model, m]) => {
      const why = m.backends.map((w) => {
        const b = insight.backends[name(w)];
        const last = b?.last_error ? `, ${b.last_error.kind} ${ago(b.last_error.at, now)}` : "";
        return `${name(w)}: ${standing(w, b, now).word.toLowerCase()}${last}`;
      });
      return { model, why: why.length > 0 ? why.join("; ") : "has no enabled backend" };
    });
}
