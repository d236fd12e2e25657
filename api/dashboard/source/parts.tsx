// Small things that several sections show.

import { percent } from "./format";
import type { Tone } from "./words";

// Mark is a state: a shape and a word, so that no colour is needed to read it.
export function Mark({ tone, word }: { tone: Tone; word: string }) {
  return (
    <span class={`mark tone-${tone}`}>
      <span class="dot" aria-hidden="true" />
      {word}
    </span>
  );
}

// Bar is a share from 0 to 1 as a number with a bar.
export function Bar({ share, text, full }: { share: number; text?: string; full?: boolean }) {
  const width = `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
  return (
    <span class={full ? "bar full" : "bar"}>
      <span class="track" aria-hidden="true">
        <span class="fill" style={{ width }} />
      </span>
      <span class="value">{text ?? percent(share)}</span>
    </span>
  );
}

// Pair is a title and a figure.
export function Pair({ title, value, more }: { title: string; value: string; more?: string }) {
  return (
    <div class="pair">
      <dt>{title}</dt>
      <dd>
        {value}
        {more && <small> {more}</small>}
      </dd>
    </div>
  );
}
