import { useState } from "preact/hooks";

// useFirst cuts a list to its first items until somebody wants more; the second
// value is the button that says so, or null if all are shown anyway.
export function useFirst<T>(all: T[], few: number) {
  const [more, setMore] = useState(false);
  const button = all.length > few && (
    <button type="button" class="link" aria-expanded={more} onClick={() => setMore(!more)}>
      {more ? "Show fewer" : `Show all ${all.length}`}
    </button>
  );
  return [more ? all : all.slice(0, few), button] as const;
}
