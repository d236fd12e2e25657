import { lasting } from "./format";
import type { Live, State } from "./live";
import type { Theme } from "./theme";

interface Props {
  live: Live;
  state: State;
  now: number;
  theme: Theme;
  setTheme: (t: Theme) => void;
}

const sections = [
  ["overview", "Overview"],
  ["models", "Models"],
  ["decisions", "Decisions"],
  ["limits", "Limits"],
  ["configuration", "Configuration"],
] as const;

export function Header({ live, state, now, theme, setTheme }: Props) {
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header class="top">
      <p class="brand">
        <img src="./status/icon.svg" alt="" width="22" height="22" /> Berry API
      </p>
      {state.insight && (
        <nav aria-label="Sections">
          <ul>
            {sections.map(([id, title]) => (
              <li key={id}>
                <a href={`#${id}`}>{title}</a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <div class="controls">
        <Freshness state={state} now={now} />
        <button type="button" class="quiet" aria-pressed={state.paused} onClick={() => live.pause(!state.paused)}>
          {state.paused ? "Resume" : "Pause"}
        </button>
        <button type="button" class="quiet" onClick={() => setTheme(other)}>
          {other === "dark" ? "Dark" : "Light"}
          <span class="unseen"> colours</span>
        </button>
        {state.signedIn && (
          <button type="button" class="quiet" onClick={() => live.signOut()}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

// Freshness says how old what is shown is. It is no live region: it changes
// every second; losing the server is announced by the banner.
function Freshness({ state, now }: { state: State; now: number }) {
  const age = Math.max(0, (now - state.ahead - state.answeredAt) / 1000);
  let word = "Live";
  let tone = "good";
  if (state.answeredAt === 0) [word, tone] = state.lost ? ["No answer", "bad"] : ["Connecting", "off"];
  else if (state.paused) [word, tone] = ["Paused", "off"];
  else if (state.lost) [word, tone] = [`No answer for ${lasting(age)}`, "bad"];
  else if (age > 10) [word, tone] = [`Stale, ${lasting(age)} old`, "warn"];
  return (
    <span class={`freshness tone-${tone}`}>
      <span class="dot" aria-hidden="true" />
      {word}
    </span>
  );
}
