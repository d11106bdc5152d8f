import { Ended, Unavailable } from "./errors.ts";
import { keepTokens } from "./logouts.ts";
import { endOf, readTokens } from "./record.ts";
import { ask, type Answer } from "./service.ts";
import { dueInMs, isUsable, locked, type Session } from "./session.ts";
import { BACK_OFF_MS, FIRST_PAUSE_MS, PAUSE_MS } from "./timing.ts";
import type { AccessTokenOptions, AuthRecord } from "./types.ts";
import { update } from "./update.ts";

/**
 * Presents the refresh token. This runs under the lock, so it calls only the service and the storage. Returns the answer
 * when it is a failure, and `undefined` when there is another record now.
 */
const exchange = async (session: Session, presented: AuthRecord): Promise<Answer | undefined> => {
  const { clock, hasCookies } = session;
  const at = clock.now();
  const { n, refresh: token, idle } = presented;
  const answer = await ask(session, "refresh", { refresh_token: token, acknowledge: !hasCookies });
  const { status, body } = answer;
  const tokens = readTokens(body, hasCookies, presented);
  if (tokens) {
    const isKept = await keepTokens(session, tokens, at, presented);
    // A lost acknowledgement is harmless.
    if (isKept && body["acknowledge"]) void ask(session, "refresh/ack", { refresh_token: tokens.refresh });
    return undefined;
  }
  const isRefused = status === 400 && body["error"] === "invalid_grant";
  const cause = idle && at - presented.at > idle ? "expired" : "invalid_grant";
  const record = await update(session, (stored) =>
    isRefused && stored.n === n ? endOf(stored, cause) : undefined,
  );
  return record.n === n ? answer : undefined;
};

const run = async (session: Session, seen: AuthRecord): Promise<AuthRecord> => {
  const { clock } = session;
  const isDue = ({ life, n }: AuthRecord) => life && (n === seen.n || !isUsable(session));
  if (isDue(await update(session))) {
    const waitMs = session.retryAt - clock.monotonic();
    if (waitMs > 0) throw new Unavailable({ ...session.trouble!, retryAfterMs: waitMs });
    const failure = await locked(session, "", async () => {
      const record = await update(session);
      return isDue(record) ? await exchange(session, record) : undefined;
    });
    if (failure) {
      const { cause, retryAfterMs: wished } = failure;
      const now = clock.now();
      const since = session.trouble?.since ?? now;
      // The wait doubles, because each one is as long as the trouble before it.
      const backOffMs =
        Math.min(PAUSE_MS, Math.max(FIRST_PAUSE_MS, now - since)) * (1 + session.random() / 2);
      // Another page is about to store the new token, so a conflict is over soon.
      const retryAfterMs = Math.max(wished, cause === "conflict" ? BACK_OFF_MS : backOffMs);
      session.retryAt = clock.monotonic() + retryAfterMs;
      session.trouble = { cause, since, retryAt: now + retryAfterMs };
      await update(session);
      throw new Unavailable({ cause, retryAfterMs });
    }
  }
  if (session.record.life) return session.record;
  throw new Ended(session.record.out);
};

/** Returns a record that is newer than `seen` and usable. All calls of this page join one refresh. */
export const refresh = async (session: Session, seen: AuthRecord): Promise<AuthRecord> =>
  await (session.running ??= run(session, seen).finally(() => (session.running = undefined)));

/** Returns a record with a usable token. Rejects with `Unavailable` or `Ended`. */
export const obtain = async (
  session: Session,
  { fresh, minLifeMs }: AccessTokenOptions = {},
): Promise<AuthRecord> => {
  await session.ready;
  const { record } = session;
  if (fresh || !isUsable(session, minLifeMs)) return await refresh(session, record);
  if (dueInMs(session) <= 0) refresh(session, record).catch(() => undefined);
  return record;
};
