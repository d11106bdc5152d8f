import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { AUTH_URL } from "../addresses.ts";
import { post } from "../http.ts";
import type { ClientParts } from "./session.ts";

/** How often a thief has a spent refresh token, compared with the pause of a client. */
const PAUSES = 20;

/** Replays spent refresh tokens whose successor was acknowledged. */
export async function runThief(
  context: ProcessContext,
  { plan, recorder, leaks }: ClientParts,
): Promise<void> {
  const { sleep, random } = context;
  for (;;) {
    await sleep(PAUSES * plan.pauseMs * 2 * random());
    const spent = leaks.spent[Math.floor(random() * leaks.spent.length)];
    if (spent === undefined) continue;
    const { token, session, user } = spent;
    const presented = recorder.nameOf(token);
    const answer = recorder.call("refresh", { user, session, presented, by: "thief" });
    const { status, body } = await post(context, `${AUTH_URL}/auth/refresh`, { refresh_token: token });
    const refresh = body["refresh_token"];
    answer({
      status,
      error: body["error"],
      ...(typeof refresh === "string" && { refresh: recorder.nameOf(refresh) }),
    });
  }
}
