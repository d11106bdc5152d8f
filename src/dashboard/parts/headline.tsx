import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { clockTime, duration } from "../data/format-time.ts";
import { useDashboard } from "./dashboard-context.ts";
import { toneOfService, toneWords } from "./effect.ts";
import { Shape } from "./tone.tsx";

const ANNOUNCE_MS = 10_000;

/** The sentence that names the failing part. The view `Now` shows it large. */
export function Headline({ isMain }: { isMain: boolean }): JSX.Element {
  const { received, now } = useDashboard();
  const { state } = received.frame;
  const { headline, components } = state;
  const { text, advice, since, runbook } = headline;
  const tone = toneOfService(state);
  const isClockSet = components["clock"] !== undefined && components["clock"].status !== "ok";
  const Title = isMain ? "h1" : "p";
  return (
    <div class={`headline tone-${tone}${isMain ? "" : " compact"}`}>
      <span class={`state tone-${tone}`}>
        <Shape tone={tone} size={isMain ? 22 : 18} />
        <span class="hidden">{toneWords[tone]}: </span>
      </span>
      <Title class="text">{withWholeDurations(text)}</Title>
      {isMain && (since !== null || advice !== null) && (
        <p class="since">
          {since !== null && `${sinceWords(since, isClockSet, saysDuration(text) ? null : now - since)}. `}
          {advice}
        </p>
      )}
      {isMain && runbook !== null && (
        <p class="since">
          What to do: section <code>{runbook}</code> of the runbook, which is <code>ops/runbook.md</code> in
          the package and &ldquo;Runbook&rdquo; on the site of the documentation
        </p>
      )}
    </div>
  );
}

/** The start of the fault. `forMs` is `null` when the sentence above says it, because one fault has one duration. */
function sinceWords(since: number, isClockSet: boolean, forMs: number | null): string {
  const start = `Since ${clockTime(since)}${isClockSet ? " by the clock that was set" : ""}`;
  return forMs === null ? start : `${start}, for ${duration(forMs)}`;
}

function saysDuration(text: string): boolean {
  return / for \d|\d (?:ms|s|min|h|days) ago/.test(text);
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+ (?:ms|s|min|h|days)\b|\d+/g, "");
}

/** Keeps a number and its unit on one line. */
function withWholeDurations(text: string): string {
  return text.replaceAll(/(\d) (?=(?:ms|s|min|h|days)\b)/g, "$1\u00a0");
}

/**
 * Tells a screen reader of another headline, at most once in ten seconds. A headline that only counts on, such as
 * "for 41 s" after "for 40 s", is no other one.
 */
export function LiveHeadline({ text }: { text: string }): JSX.Element {
  const [announced, setAnnounced] = useState(text);
  const lastAt = useRef(-Infinity);
  useEffect(() => {
    if (withoutNumbers(text) === withoutNumbers(announced)) return undefined;
    const timer = setTimeout(
      () => {
        lastAt.current = performance.now();
        setAnnounced(text);
      },
      Math.max(0, lastAt.current + ANNOUNCE_MS - performance.now()),
    );
    return () => clearTimeout(timer);
  }, [text, announced]);
  return (
    <p class="hidden" role="status" aria-live="polite">
      {announced}
    </p>
  );
}
