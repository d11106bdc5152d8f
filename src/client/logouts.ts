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

/**
 * Sends the logouts that wait in the record. Resolves with whether the service has confirmed all of them. Only one caller
 * sends at a time: the cookies of a late second logout would be those of the next login.
 */
export const sendLogouts = async (session: Session): Promise<boolean> => {
  await session.locked(":outbox", async () => {
    const { outbox } = await session.update();
    await Promise.all(
      outbox.map(async (pending) => {
        if (!(await sendLogout(session, pending))) return;
        const isOther = ({ refresh }: PendingLogout) => refresh !== pending.refresh;
        await session.update((record) => ({ ...record, outbox: record.outbox.filter(isOther) }));
      }),
    );
  });
  return !session.record.outbox[0];
};

/** Stores new tokens in place of an expected record. After a logout in the meantime, their session must end too. */
export const keepTokens = async (
  session: Session,
  tokens: Tokens,
  at: number,
  isExpected: (record: AuthRecord) => unknown,
): Promise<boolean> => {
  let isKept = false;
  const { life } = await session.update((record) => {
    isKept = Boolean(isExpected(record));
    return isKept ? { ...record, ...tokens, n: nextN(record), at } : undefined;
  });
  if (!life) void sendLogout(session, tokens);
  return isKept;
};
