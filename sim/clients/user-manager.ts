import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { act, pickService, type ActionParts } from "./service-actions.ts";
import { setPassword, type PasswordBook } from "./set-password.ts";
import type { ClientParts } from "./session.ts";

const PAUSES = 20;
const RETRY_MS = 2_000;

/** Adds the users of the store, and then disables and enables them and sets their passwords. */
export async function runUserManager(
  context: ProcessContext,
  parts: ClientParts & ActionParts & { readonly book: PasswordBook },
  users: readonly string[],
): Promise<void> {
  const { sleep, random } = context;
  const { plan, book } = parts;
  const add = async (username: string) => {
    const password = book.passwords.get(username)?.[0] ?? book.create();
    book.passwords.set(username, [password]);
    const data = { user: username, to: password };
    const service = pickService(parts, random);
    if (service === undefined) return false;
    const addUser = async () => await service.issuer.users.add({ username, password });
    return await act(parts, context, "add user", data, addUser);
  };
  for (const user of users) while (!(await add(user))) await sleep(RETRY_MS);
  for (;;) {
    await sleep(PAUSES * plan.pauseMs * 2 * random());
    const username = users[Math.floor(random() * users.length)] as string;
    if (random() < 0.5) await setPassword(context, parts, username);
    else await disableFor(username, plan.pauseMs * 4 * random());
  }

  /** Disables a user, and repeats the end until it is confirmed. */
  async function disableFor(username: string, ms: number): Promise<void> {
    const service = pickService(parts, random);
    if (service === undefined) return;
    const data = { user: username };
    await act(parts, context, "disable user", data, async () => await service.issuer.users.disable(username));
    await sleep(ms);
    for (;;) {
      const other = pickService(parts, random);
      const enable = async () => await other?.issuer.users.enable(username);
      if (other !== undefined && (await act(parts, context, "enable user", data, enable))) return;
      await sleep(RETRY_MS);
    }
  }
}
