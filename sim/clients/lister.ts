import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { AUTH_URL } from "../addresses.ts";
import { getJson } from "../http.ts";
import { ClientSession, type ClientParts } from "./session.ts";

/** Keeps one session, and looks for it in the list of the user's sessions. */
export async function runLister(context: ProcessContext, parts: ClientParts, user: string): Promise<void> {
  const { sleep, random, clock } = context;
  const { plan, recorder } = parts;
  const session = new ClientSession(context, parts, { user, acknowledges: true });
  for (;;) {
    await sleep(plan.pauseMs * 2 * random());
    const { held } = session;
    if (held === null) {
      await session.logIn();
      continue;
    }
    if (held.expiresAt - clock.now() < plan.lifetimes.accessTokenTtlMs / 4) {
      await session.refresh(held);
      continue;
    }
    const answer = recorder.call("list sessions", { session: held.session, user });
    const { status, body } = await getJson(context, `${AUTH_URL}/auth/sessions`, held.access);
    const listed = (body["sessions"] ?? []) as readonly { readonly session_id: string }[];
    answer({ status, isListed: listed.some(({ session_id: id }) => id === held.session) });
    if (status === 401) await session.refresh(held);
  }
}
