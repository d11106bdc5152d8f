import { nextN, type Tokens } from "./record.ts";
import type { Session } from "./session.ts";
import type { AuthRecord, PendingLogout } from "./types.ts";

/** Sends a logout. Resolves with whether the service has answered for good. */
const sendLogout = async ({ ask }: Session, { refresh, everywhere }: PendingLogout): Promise<boolean> => {
  const send = async (path: string) => {
    const { status, body } = await ask(path, { refresh_token: refresh });
    // The page of a proxy proves nothing, so a refusal must have the form of the service.
    return status === 204 ? status : (status === 400 || status === 401) && body["error"];
  };
  let answer = !everywhere || (await send("logout-all"));
  // A spent token cannot end other sessions, but it can end its own.
  if (answer && answer !== 204) answer = await send("logout");
  return Boolean(answer);
};

/** Sends the logouts that wait in the record, while no other page does. Resolves with whether the service has confirmed all. */
export const flush = async (session: Session): Promise<boolean> => {
  const { outbox } = await session.update();
  await Promise.all(
    outbox.map(async (pending) => {
      if (!(await sendLogout(session, pending))) return;
      const isOther = ({ refresh }: PendingLogout) => refresh !== pending.refresh;
      await session.update((record) => ({ ...record, outbox: record.outbox.filter(isOther) }));
    }),
  );
  return !session.record.outbox[0];
};

/** Sends the logouts that wait in the record. Other pages wait for their turn, so that each logout is sent once. */
export const sendLogouts = async (session: Session): Promise<void> => {
  if (session.record.outbox[0]) await session.locked(":outbox", async () => await flush(session));
};

/** Stores new tokens in place of an expected record. After a logout in the meantime, their session must end too. */
export const keepTokens = async (
  session: Session,
  tokens: Tokens,
  at: number,
  isExpected: (record: AuthRecord) => unknown,
): Promise<boolean> => {
  let isKept = false;
  await session.update((record) => {
    isKept = Boolean(isExpected(record));
    if (isKept) return { ...record, ...tokens, n: nextN(record), at };
    return record.life ? undefined : { ...record, outbox: [...record.outbox, { refresh: tokens.refresh }] };
  });
  if (!isKept) void sendLogouts(session);
  return isKept;
};
