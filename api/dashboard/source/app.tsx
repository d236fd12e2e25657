import { useEffect, useState } from "preact/hooks";

import { Banner } from "./banner";
import { ConfigurationSection } from "./configuration";
import { DecisionsSection } from "./decisions";
import { Header } from "./header";
import { LimitsSection } from "./limits";
import type { Live, State } from "./live";
import { ModelsSection } from "./models";
import { OverviewSection } from "./overview";
import { ProvidersSection } from "./providers";
import { SignIn } from "./signin";
import { useTheme } from "./theme";

export function App({ live }: { live: Live }) {
  const state = useLive(live);
  const now = useClock(state.paused) + state.ahead;
  const [theme, setTheme] = useTheme();
  const { insight } = state;
  useTitle(state);
  return (
    <>
      <a class="skip" href="#main">Skip to the content</a>
      <Header live={live} state={state} now={now} theme={theme} setTheme={setTheme} />
      <Banner state={state} now={now} />
      <main id="main" tabIndex={-1} class={state.lost ? "stale" : ""}>
        {insight ? (
          <>
            <OverviewSection insight={insight} theme={theme} />
            <ModelsSection insight={insight} now={now} />
            <DecisionsSection live={live} decisions={insight.decisions} />
            <LimitsSection limits={insight.limits} users={insight.stats.users} now={now} />
            <ConfigurationSection stats={insight.stats} now={now} />
          </>
        ) : (
          <>
            <SignIn live={live} state={state} />
            {state.metrics && <ProvidersSection metrics={state.metrics} now={now} />}
          </>
        )}
      </main>
      {state.health && (
        <footer>
          Berry API {state.health.version}. Times are those of your time zone.
        </footer>
      )}
    </>
  );
}

function useLive(live: Live): State {
  const [state, setState] = useState(live.state);
  useEffect(() => {
    setState(live.state);
    return live.subscribe(() => setState(live.state));
  }, [live]);
  return state;
}

// useClock draws the page once a second, so that "3 s ago" stays true.
function useClock(paused: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (paused) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, 1000);
    return () => window.clearInterval(timer);
  }, [paused]);
  return Math.max(now, 0);
}

function useTitle(state: State) {
  const word = state.lost ? "no answer" : state.health?.status;
  useEffect(() => {
    document.title = word ? `Berry API: ${word}` : "Berry API";
  }, [word]);
}
