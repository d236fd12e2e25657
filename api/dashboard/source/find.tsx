import { useRef, useState } from "preact/hooks";

import { DecisionDetail } from "./decision";
import type { Live } from "./live";
import type { Decision } from "./types";

// Find shows the decision of one request, by the id that its client was told.
export function Find({ live }: { live: Live }) {
  const field = useRef<HTMLInputElement>(null);
  const [found, setFound] = useState<Decision | null>(null);
  const [problem, setProblem] = useState("");

  const submit = async (e: Event) => {
    e.preventDefault();
    const id = field.current?.value.trim() ?? "";
    if (id === "") return;
    const answer = await live.decision(id);
    setFound(typeof answer === "string" ? null : answer);
    setProblem(typeof answer === "string" ? answer : "");
  };
  const close = () => {
    setFound(null);
    setProblem("");
    if (field.current) field.current.value = "";
    field.current?.focus();
  };

  return (
    <div class="find">
      <form role="search" onSubmit={submit}>
        <label for="request-id">Request</label>
        <input id="request-id" ref={field} type="text" placeholder="x-request-id" autocomplete="off" autocapitalize="off" spellcheck={false} />
        <button type="submit" class="plain">Find</button>
      </form>
      {(found || problem) && (
        <div class="found">
          <p role="status">
            {problem || `${found?.model}, ${found?.outcome.replaceAll("_", " ")}`}{" "}
            <button type="button" class="link" onClick={close}>Close</button>
          </p>
          {found && <DecisionDetail decision={found} />}
        </div>
      )}
    </div>
  );
}
