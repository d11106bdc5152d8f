import type { JSX } from "preact";
import { duration } from "../data/format-time.ts";
import type { AgeAgainstLimit, Upstream } from "../wire-state.ts";
import type { Tone } from "./tone.tsx";

/** The words around each kind of age, such as `fetched 40 s ago`. */
const ages = {
  keys: ["fetched", "ago"],
  authority: ["no usable answer for", ""],
  revocations: ["read", "ago"],
  store: ["for", ""],
  shared: ["for", ""],
} as const satisfies Record<Upstream["kind"], readonly [before: string, after: string]>;

/** The share of the allowed time from which on its end is worth a sentence. */
const NOTABLE_SHARE = 0.25;

interface AgeBarProps {
  readonly age: AgeAgainstLimit;
  readonly tone: Tone;
  readonly kind: Upstream["kind"];
}

/** How much of the allowed time is over. */
export function AgeBar({ age, tone, kind }: AgeBarProps): JSX.Element {
  const { ageMs, limitMs, words } = age;
  const [before, after] = ages[kind];
  const share = limitMs === null || limitMs === 0 ? null : Math.min(1, ageMs / limitMs);
  const isNotable = tone !== "ok" || share === null || share >= NOTABLE_SHARE;
  return (
    <div class={`bar tone-${tone}`}>
      <div class="bar-row">
        <span>
          {`${before} ${duration(ageMs)} ${after}`.trim()}
          {limitMs !== null && <span class="dim">, limit {duration(limitMs)}</span>}
        </span>
        {share !== null && <span class="dim">{Math.round(share * 100)} %</span>}
      </div>
      {share !== null && (
        <div class="bar-track" aria-hidden="true">
          <div class="bar-fill" style={{ width: `${Math.max(0.5, share * 100)}%` }} />
        </div>
      )}
      {isNotable && <span class="dim">{words}</span>}
    </div>
  );
}
