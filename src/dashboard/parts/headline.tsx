import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { clockTime, duration } from "../data/format.ts";
import { useDashboard } from "./dashboard-context.ts";
import { Shape, toneOf } from "./tone.tsx";

const ANNOUNCE_MS = 10_000;
const statusWords = { ok: "Well", degraded: "Degraded", unavailable: "Failing" } as const;

/** The sentence that names the failing part. The view `Now` shows it large. */
export function Headline({ isMain }: { isMain: boolean }): JSX.Element {
  const { received, now } = useDashboard();
  const { status, text, advice, since } = received.frame.state.headline;
  const tone = toneOf(status);
  const Title = isMain ? "h1" : "p";
  return (
    <div class={`headline tone-${tone}${isMain ? "" : " compact"}`}>
      <span class={`state tone-${tone}`}>
        <Shape tone={tone} size={isMain ? 22 : 18} />
        <span class="hidden">{statusWords[status]}: </span>
      </span>
      <Title class="text">{withWholeDurations(text)}</Title>
      {isMain && (
        <p class="since">
          {since !== null && `Since ${clockTime(since)}, for ${duration(now - since)}. `}
          {advice}
          {since === null && advice === null && `Checked at ${clockTime(now)}.`}
        </p>
      )}
    </div>
  );
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
