import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { act, pickService, type ActionParts } from "./service-actions.ts";

/** Where the passwords of the simulated people are written down, for them and for administrators. */
export interface PasswordBook {
  /** User → the passwords that may be in force, the latest first. */
  readonly passwords: Map<string, string[]>;
  /** Returns a password that nobody has had. */
  readonly create: () => string;
}

export function createPasswordBook(): PasswordBook {
  let count = 0;
  return { passwords: new Map(), create: () => `password ${++count}` };
}

/** Sets another password of a user, as an administrator does. */
export async function setPassword(
  context: ProcessContext,
  parts: ActionParts & { readonly book: PasswordBook },
  username: string,
): Promise<void> {
  const { book } = parts;
  const service = pickService(parts, context.random);
  if (service === undefined) return;
  const to = book.create();
  book.passwords.set(username, [to, ...(book.passwords.get(username) ?? [])]);
  const data = { user: username, to };
  const change = async () => await service.issuer.users.setPassword(username, to);
  if (await act(parts, context, "set password", data, change)) book.passwords.set(username, [to]);
}
