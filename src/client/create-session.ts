import { deviceClock, within } from "./platform.ts";
import { createOrigins, readUrl, refuse } from "./origins.ts";
import { noRecord } from "./record.ts";
import { createRefresh } from "./refresh.ts";
import { createAsk, createSend, type Send } from "./service.ts";
import type { Session } from "./session.ts";
import { deviceStorage } from "./storage.ts";
import { CLOCK_TOLERANCE_MS } from "./timing.ts";
import type { AuthClientOptions, AuthRecord, ClientClock } from "./types.ts";
import { createUpdate } from "./update.ts";

/**
 * Creates the function that returns the life that an access token has left, in milliseconds. Its age is the larger of
 * wall and monotonic elapsed time. A suspended device stops the monotonic clock, and the wall clock can be set back.
 */
const createLeft = (clock: ClientClock): ((record: AuthRecord) => number) => {
  let seen = -1;
  /** The monotonic time at which the token of the seen record was new. */
  let newAt = 0;
  return ({ n, at, life }) => {
    const wall = clock.now() - at;
    const monotonic = clock.monotonic();
    if (seen !== n) newAt = monotonic - Math.max(0, wall);
    seen = n;
    return wall < -CLOCK_TOLERANCE_MS ? -Infinity : life - Math.max(wall, monotonic - newAt);
  };
};

/** What the public methods need beside the session. */
type Parts = readonly [Session, Send, typeof fetch, isListed: (url: URL) => boolean, name: string];

/** Creates the session, and reads it from the storage. Throws a `TypeError` that names the option. */
export const createSession = ({
  baseUrl,
  origins = [],
  key = "auth",
  mode = "token",
  storage = "device",
  bufferMs = 300_000,
  timeoutMs = 10_000,
  lockWaitMs = 4_000,
  fetch = async (...given) => await globalThis.fetch(...given),
  clock = deviceClock,
  random = () => Math.random(),
  ...unknown
}: AuthClientOptions): Parts => {
  for (const option in unknown) refuse("option", "a known name", option);
  const hasCookies = mode === "cookie";
  // A misspelt mode must not keep tokens where scripts can read them.
  if (!hasCookies && mode !== "token") refuse("mode", "token or cookie", mode);
  const url = readUrl("baseUrl", baseUrl);
  const isListed = createOrigins(url, origins);
  const name = `holdfast:${key}`;
  const send = createSend(fetch, hasCookies);
  const left = createLeft(clock);

  const session = {
    clock,
    random,
    hasCookies,
    ask: createAsk(url, timeoutMs, clock, send),
    record: noRecord,
    state: { status: "loading" },
    trouble: null,
    retryAt: -Infinity,
    listeners: new Set(),
    postMessage: () => undefined,
    isUsable: (record, minLifeMs = 0) =>
      left(record) > Math.max(minLifeMs, Math.min(5_000, record.life / 10)),
    dueInMs: (record) => left(record) - Math.min(bufferMs, record.life / 5),
    async locked(suffix, work) {
      const locks = navigator.locks as LockManager | undefined;
      let working: ReturnType<typeof work> | undefined;
      const run = async () => await (working ??= work());
      // A request that gets the lock later finds the work done. A page that steals the lock makes the request fail.
      await within(
        clock,
        lockWaitMs,
        locks?.request(hasCookies ? name : name + suffix, run) as Promise<unknown>,
      ).catch(() => undefined);
      return await run();
    },
    async obtain({ fresh, minLifeMs } = {}) {
      await session.ready;
      const { record } = session;
      if (fresh || !session.isUsable(record, minLifeMs)) return await session.refresh(record);
      if (session.dueInMs(record) <= 0) session.refresh(record).catch(() => undefined);
      return record;
    },
  } as Partial<Session> as Session;
  const stored = storage === "device" ? deviceStorage(name) : storage;
  session.update = createUpdate(session, stored === "memory" ? undefined : stored);
  session.refresh = createRefresh(session);
  session.ready = session.update();
  return [session, send, fetch, isListed, name];
};
