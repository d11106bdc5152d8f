import { Ended, Unavailable } from "./errors.ts";
import { keepTokens } from "./logouts.ts";
import { endOf, readTokens } from "./record.ts";
import type { Answer } from "./service.ts";
import type { Session } from "./session.ts";
import { BACK_OFF_MS, PAUSE_MS } from "./timing.ts";
import type { AuthRecord } from "./types.ts";

/** Creates the function that returns a record that is newer than `seen` and usable. All calls of this page join one refresh. */
export const createRefresh = (session: Session): ((seen: AuthRecord) => Promise<AuthRecord>) => {
  const { clock, ask, hasCookies } = session;
  let running: Promise<AuthRecord> | undefined;

  /**
   * Presents the refresh token. This runs under the lock, so it calls only the service and the storage. Returns the answer
   * when it is a failure, and `undefined` when there is another record now.
   */
  const exchange = async (presented: AuthRecord): Promise<Answer | undefined> => {
    const at = clock.now();
    const { n, refresh, idle } = presented;
    const answer = await ask("refresh", { refresh_token: refresh, acknowledge: !hasCookies });
    const { status, body } = answer;
    const tokens = status < 300 && readTokens(body, hasCookies, presented);
    if (tokens) {
      const isKept = await keepTokens(session, tokens, at, (record) => record.n === n);
      // A lost acknowledgement is harmless.
      if (isKept && body["acknowledge"]) void ask("refresh/ack", { refresh_token: tokens.refresh });
      return undefined;
    }
    const isRefused = status === 400 && body["error"] === "invalid_grant";
    const cause = idle && at - presented.at > idle ? "expired" : "invalid_grant";
    const record = await session.update((stored) =>
      isRefused && stored.n === n ? endOf(stored, cause) : undefined,
    );
    return record.n === n ? answer : undefined;
  };

  /** Notes that a refresh failed, and for how long no other one is sent. */
  const fail = async ({ cause, retryAfterMs: wished }: Answer) => {
    const now = clock.now();
    const since = session.trouble?.since ?? now;
    // The wait doubles, because each one is as long as the trouble before it.
    const backOffMs = Math.min(PAUSE_MS, Math.max(2 * BACK_OFF_MS, now - since)) * (1 + session.random() / 2);
    // Another page is about to store the new token, so a conflict is over soon.
    const retryAfterMs = Math.ceil(Math.max(wished, cause === "conflict" ? BACK_OFF_MS : backOffMs));
    session.retryAt = clock.monotonic() + retryAfterMs;
    session.trouble = { cause, since, retryAt: now + retryAfterMs };
    await session.update();
    throw new Unavailable({ cause, retryAfterMs });
  };

  const run = async (seen: AuthRecord): Promise<AuthRecord> => {
    const isDue = (record: AuthRecord) => record.life && (record.n === seen.n || !session.isUsable(record));
    if (isDue(await session.update())) {
      const retryAfterMs = session.retryAt - clock.monotonic();
      if (session.trouble && retryAfterMs > 0) throw new Unavailable({ ...session.trouble, retryAfterMs });
      const failure = await session.locked("", async () => {
        const record = await session.update();
        return isDue(record) ? await exchange(record) : undefined;
      });
      if (failure) await fail(failure);
    }
    const { record } = session;
    if (record.life) return record;
    throw new Ended(record.out ?? null);
  };

  return async (seen) => await (running ??= run(seen).finally(() => (running = undefined)));
};
