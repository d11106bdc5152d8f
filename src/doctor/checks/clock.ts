import { systemClock } from "../../core/clock.ts";
import { platformFetch } from "../../guard/fetch-json.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

/** A difference that a token notices: guards tolerate a few seconds. */
const WARN_MS = 2000;
const FAIL_MS = 30_000;
/** The header `Date` has whole seconds. */
const SECOND_MS = 1000;

/** Another clock, read at one moment. */
interface ClockReading {
  readonly name: string;
  /** How far this machine's clock is ahead, ms. */
  readonly aheadMs: number;
  /** The reading may be wrong by this much, ms. */
  readonly uncertaintyMs: number;
}

export const clockCheck: Check = {
  name: "clock",
  group: "machine",
  asks: "Redis, or a provider",
  async run({ providers, redis }, signal) {
    const ofStore = redis === null ? null : (await redis.read()).answers?.clock;
    const readings = await Promise.all(
      providers.map(async (provider) => {
        const { documents } = await provider.keys();
        const url = documents[0]?.url;
        return url === undefined ? null : await readDate(url, signal).catch(() => null);
      }),
    );
    const findings = readings.flatMap((reading) => (reading === null ? [] : [judgeReading(reading)]));
    if (redis !== null && ofStore == null)
      findings.unshift(skip("the clock of Redis was not compared, because Redis cannot be read: see redis"));
    if (ofStore != null) findings.unshift(judgeReading({ name: "Redis", ...ofStore }));
    return findings.length > 0 ? findings : [skip("there is no other clock to compare with")];
  },
};

async function readDate(url: string, signal: AbortSignal): Promise<ClockReading | null> {
  const before = systemClock.now();
  const response = await platformFetch(url, { redirect: "manual", signal });
  const after = systemClock.now();
  await response.body?.cancel();
  const date = Date.parse(response.headers.get("date") ?? "");
  // A cache answers with the time at which it stored the response.
  if (Number.isNaN(date) || response.headers.has("age")) return null;
  const aheadMs = (before + after) / 2 - (date + SECOND_MS / 2);
  return { name: new URL(url).host, aheadMs, uncertaintyMs: (after - before + SECOND_MS) / 2 };
}

/** Compares this machine's clock with another one. */
export function judgeReading({ name, aheadMs, uncertaintyMs }: ClockReading): Finding {
  const leastMs = Math.max(0, Math.abs(aheadMs) - uncertaintyMs);
  const direction = aheadMs > 0 ? "ahead of" : "behind";
  const detail = `the clock of this machine is ${Math.round(Math.abs(aheadMs) / 1000)} s ${direction} that of ${name}`;
  const advice = "repair the time service (NTP) of the machine that is wrong";
  if (leastMs > FAIL_MS) return fail(detail, advice);
  if (leastMs > WARN_MS) return warn(detail, advice);
  return ok(`the clock agrees with that of ${name}`);
}
