import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { clockTime, duration } from "../data/format-time.ts";
import type { Link } from "../data/stream.ts";

/** Says that the page shows old numbers, since when, and when it tries again. */
export function LinkNotice({
  link,
  lastAt,
  onRetry,
}: {
  link: Link;
  /** The time of the newest numbers. `null` when none came. */
  lastAt: number | null;
  onRetry: () => void;
}): JSX.Element | null {
  const now = useSeconds(link.state === "lost");
  if (link.state === "connecting" && lastAt === null) return <p class="dim">Connecting to the service …</p>;
  if (link.state !== "lost") return null;
  const { reason, retryAt } = link;
  const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <div class="link-lost" role="alert">
      <strong>The page gets no updates.</strong> {reason}{" "}
      {lastAt !== null && `The page shows the state of ${clockTime(lastAt)}`}
      {/* A screen reader would read the whole notice again at each change. */}
      <span aria-hidden="true">
        {lastAt !== null && `, ${duration(Math.max(1000, now - lastAt))} ago. `}
        {seconds === 0 ? "Trying again …" : `Next attempt in ${seconds} s.`}{" "}
      </span>
      <button type="button" class="quiet" onClick={onRetry}>
        Try now
      </button>
    </div>
  );
}

function useSeconds(isOn: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isOn) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isOn]);
  return now;
}
