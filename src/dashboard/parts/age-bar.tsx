import type { JSX } from "preact";
import { duration } from "../data/format.ts";
import type { AgeAgainstLimit } from "../wire-state.ts";
import type { Tone } from "./tone.tsx";

/** How much of the allowed time is over. */
export function AgeBar({ age, tone }: { age: AgeAgainstLimit; tone: Tone }): JSX.Element {
  const { ageMs, limitMs, words } = age;
  const share = limitMs === null || limitMs === 0 ? null : Math.min(1, ageMs / limitMs);
  return (
    <div class={`bar tone-${tone}`}>
      <div class="bar-row">
        <span>
          {duration(ageMs)}
          {limitMs !== null && <span class="dim"> of {duration(limitMs)}</span>}
        </span>
        {share !== null && <span class="dim">{Math.round(share * 100)} %</span>}
      </div>
      {share !== null && (
        <div class="bar-track" aria-hidden="true">
          <div class="bar-fill" style={{ width: `${Math.max(0.5, share * 100)}%` }} />
        </div>
      )}
      <span class="dim">{words}</span>
    </div>
  );
}
