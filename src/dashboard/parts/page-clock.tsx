import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { clockTime, duration, zone } from "../data/format-time.ts";

/** The age from which on the line says how old the numbers are. */
const OLD_MS = 3_000;

/** The time of the service in the reader's zone, and the age of the numbers. */
export function PageClock({ at }: { at: number }): JSX.Element {
  const [ageMs, setAgeMs] = useState(0);
  useEffect(() => {
    const receivedAt = performance.now();
    setAgeMs(0);
    const timer = setInterval(() => setAgeMs(performance.now() - receivedAt), 1_000);
    return () => clearInterval(timer);
  }, [at]);
  return (
    <p class="page-clock dim small">
      {clockTime(at + ageMs)} ({zone(at)}), updated {ageMs < OLD_MS ? "now" : `${duration(ageMs)} ago`}
    </p>
  );
}
