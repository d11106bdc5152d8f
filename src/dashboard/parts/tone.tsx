import type { ComponentChildren, JSX } from "preact";

/** How well something is. Each has a word, a shape and a colour, so that none is needed to tell it. */
export type Tone = "ok" | "degraded" | "failing" | "idle";

const tones: Readonly<Record<string, Tone>> = {
  ok: "ok",
  ready: "ok",
  good: "ok",
  degraded: "degraded",
  warning: "degraded",
  failing: "failing",
  unavailable: "failing",
  alarm: "failing",
};

/** The tone of a word of the contract, such as `unavailable`. */
export function toneOf(word: string): Tone {
  return tones[word] ?? "idle";
}

const shapes: Readonly<Record<Tone, JSX.Element>> = {
  ok: <circle cx="7" cy="7" r="5.5" fill="currentColor" />,
  degraded: <path d="M7 1 13.3 12.5H.7Z" fill="currentColor" />,
  failing: <path d="M4.2 .8h5.6l3.4 3.4v5.6l-3.4 3.4H4.2L.8 9.8V4.2Z" fill="currentColor" />,
  idle: <circle cx="7" cy="7" r="4.6" fill="none" stroke="currentColor" stroke-width="1.8" />,
};

export function Shape({ tone, size = 14 }: { tone: Tone; size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 14 14" aria-hidden="true">
      {shapes[tone]}
    </svg>
  );
}

/** A state as shape and words. */
export function StateWord({ tone, children }: { tone: Tone; children: ComponentChildren }): JSX.Element {
  return (
    <span class={`state tone-${tone}`}>
      <Shape tone={tone} size={11} />
      <span>{children}</span>
    </span>
  );
}
