import { nextN, type Tokens } from "./record.ts";
import { ask, type Answer } from "./service.ts";
import { locked, type Session } from "./session.ts";
import type { AuthRecord, PendingLogout } from "./types.ts";
import { update } from "./update.ts";

/** Sends a logout. Resolves with the answer unless it is final. */
const sendLogout = async (
  session: Session,
  { refresh }: PendingLogout,
  path: string,
): Promise<Answer | false> => {
  const answer = await ask(session, path, { refresh_token: refresh });
  const { status, body } = answer;
  // The page of a proxy proves nothing, so a refusal must have the form of the service.
  return status !== 204 && !((status === 400 || status === 401) && body["error"]) && answer;
};

/** Sends the logouts that wait in the record, while no other page does. Resolves with an answer that is not final. */
export const flush = async (session: Session): Promise<Answer | undefined> => {
  let failure: Answer | undefined;
  for (const pending of (await update(session)).outbox) {
    const isOther = ({ refresh }: PendingLogout) => refresh !== pending.refresh;
    // A spent token cannot end other sessions, but it can end its own.
    const answer =
      (pending.everywhere && (await sendLogout(session, pending, "logout-all"))) ||
      (await sendLogout(session, pending, "logout"));
    if (answer) failure = answer;
    else await update(session, (record) => ({ ...record, outbox: record.outbox.filter(isOther) }));
  }
  return failure;
};

/** Sends the logouts that wait in the record. Other pages wait for their turn, so that each logout is sent once. */
export const sendLogouts = async (session: Session): Promise<void> => {
  if (session.record.outbox[0]) await locked(session, ":outbox", async () => await flush(session));
};

/**
 * Stores new tokens. Those of a new session replace any other session, and those of a refresh only the record `before` it.
 * After a logout in the meantime, their session must end too.
 */
export const keepTokens = async (
  session: Session,
  tokens: Tokens,
  at: number,
  before: AuthRecord,
): Promise<boolean> => {
  let isKept = false;
  await update(session, (record) => {
    // An old session that ends by itself meanwhile does not refuse a login.
    isKept =
      record.n === before.n || (tokens.sid !== before.sid && (record.life > 0 || record.out !== "logout"));
    if (!isKept)
      return record.life ? undefined : { ...record, outbox: [...record.outbox, { refresh: tokens.refresh }] };
    // In cookie mode, a waiting logout has no token, and would end the new session.
    const outbox = record.outbox.filter(({ refresh }) => refresh);
    return { ...record, ...tokens, n: nextN(record), at, outbox };
  });
  if (!isKept) void sendLogouts(session);
  return isKept;
};
