import { useRef, useState } from "preact/hooks";

import type { Live, State } from "./live";

// SignIn asks for the token of an administrator.
export function SignIn({ live, state }: { live: Live; state: State }) {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const [trying, setTrying] = useState(false);

  if (state.data === "elsewhere") {
    return (
      <section class="card signin" aria-labelledby="signin">
        <h2 id="signin">The figures are on another address</h2>
        <p>
          This address serves the API. Requests, backends, decisions and limits are served on the admin address only
          (<code>settings.admin_bind_address</code>): open this page there.
        </p>
      </section>
    );
  }
  if (state.signedIn) return <p class="empty" role="status">Signed in. The figures are on their way.</p>;

  const submit = async (e: Event) => {
    e.preventDefault();
    const input = field.current;
    const token = input?.value.trim() ?? "";
    if (!input || trying) return;
    setTrying(true);
    const why = token === "" ? "Enter a token first." : await live.signIn(token);
    setTrying(false);
    setProblem(why);
    input.value = "";
    if (why !== "") input.focus();
    else document.getElementById("main")?.focus();
  };

  return (
    <section class="card signin" aria-labelledby="signin">
      <h2 id="signin">Sign in to see more</h2>
      <p>
        Requests over time, backends, decisions with their reasons and users’ limits are for administrators.
        {state.data === "private" && " So is the state of the providers: settings.public_status is off."}
      </p>
      {state.notice && problem === "" && <p class="problem" role="alert">{state.notice}</p>}
      <form onSubmit={submit}>
        <label for="token">Token of a user with the tag “admin”</label>
        <div class="row">
          <input
            id="token" ref={field} type="password" autocomplete="off" autocapitalize="off" spellcheck={false}
            aria-invalid={problem !== ""} aria-describedby={problem ? "token-problem token-kept" : "token-kept"}
          />
          <button type="submit" disabled={trying}>
            {trying ? "Signing in" : "Sign in"}
          </button>
        </div>
        {problem && <p class="problem" id="token-problem" role="alert">{problem}</p>}
        <p class="hint" id="token-kept">It stays in the memory of this page, and is gone when the page is closed or loaded again.</p>
      </form>
    </section>
  );
}
