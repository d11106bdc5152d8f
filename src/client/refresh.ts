import { Ended, Unavailable } from "./errors.ts";
import { endOf, nextN, readTokens } from "./record.ts";
import type { Answer } from "./service.ts";
import type { Session } from "./session.ts";
import { BACK_OFF_MS, PAUSE_MS } from "./timing.ts";
import type { AuthRecord } from "./types.ts";

/** Creates the function that returns a record that is newer than `seen` and usable. All calls of this page join one refresh. */
export const createRefresh = (session: Session): ((seen: AuthRecord) => Promise<AuthRecord>) => {
  const { clock, ask, hasCookies } = session;
  let failures = 0;
  let running: Promise<AuthRecord> | undefined;

  /**
   * Presents the refresh token. This runs under the lock, so it calls only the service and the storage. Returns the answer
   * when it is a failure, and `undefined` when there is another record now.
   */
  const exchange = async (presented: AuthRecord): Promise<Answer | undefined> => {
    const at = clock.now();
    const answer = await ask(
      "refresh",
      hasCookies ? {} : { refresh_token: presented.refresh, acknowledge: true },
    );
    const { status, body } = answer;
    const tokens = status < 300 && readTokens(body, hasCookies, presented);
    const isRefused = status === 400 && body["error"] === "invalid_grant";
    let isKept = false;
    const record = await session.update((stored) => {
      isKept = stored.n === presented.n;
      if (isKept && tokens) return { ...stored, ...tokens, n: nextN(stored), at };
      const isIdle = presented.idle && at - presented.at > presented.idle;
      return isKept && isRefused ? endOf(stored, isIdle ? "expired" : "invalid_grant") : undefined;
    });
    if (!tokens) return isRefused || !isKept ? undefined : answer;
    // A lost acknowledgement is harmless. After a logout during the request, the new session must end too.
    const path = isKept ? body["acknowledge"] === true && "refresh/ack" : !record.life && "logout";
    if (path && !hasCookies) void ask(path, { refresh_token: tokens.refresh });
    return undefined;
  };

  /** Notes that a refresh failed, and for how long no other one is sent. */
  const fail = async ({ cause, retryAfterMs: wished }: Answer) => {
    const { trouble } = session;
    failures = trouble ? failures + 1 : 1;
    const backOffMs = Math.min(PAUSE_MS, BACK_OFF_MS * 2 ** failures);
    // Another page is about to store the new token, so a conflict is over soon.
    const ownMs = cause === "conflict" ? BACK_OFF_MS : backOffMs * (1 + session.random() / 2);
    const retryAfterMs = Math.ceil(Math.max(wished, ownMs));
    const now = clock.now();
    session.retryAt = clock.monotonic() + retryAfterMs;
    session.trouble = { cause, since: trouble?.since ?? now, retryAt: now + retryAfterMs };
    await session.update();
    throw new Unavailable({ cause, retryAfterMs });
  };

  const run = async (seen: AuthRecord): Promise<AuthRecord> => {
    const isDue = (record: AuthRecord) => record.life && (record.n === seen.n || !session.isUsable(record));
    if (isDue(await session.update())) {
      const retryAfterMs = Math.ceil(session.retryAt - clock.monotonic());
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
