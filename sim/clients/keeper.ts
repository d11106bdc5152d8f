import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { API_URL, AUTH_URL } from "../deployment.ts";
import { callApi, post } from "../http.ts";
import type { ClientParts } from "./session-client.ts";

/** Presents old access tokens and forged ones, and refreshes with tokens of sessions that may have ended. */
export async function runKeeper(
  context: ProcessContext,
  { plan, recorder, leaks }: ClientParts,
): Promise<void> {
  const { sleep, random } = context;

  /** Refreshes with a token of a session that has ended, or with one whose MAC is wrong. */
  async function refreshWrongly(): Promise<void> {
    const isForged = random() < 0.3;
    const list = isForged ? leaks.access : leaks.ended;
    const old = list[Math.floor(random() * list.length)];
    if (old === undefined) return;
    const token = isForged ? `${old.refresh.slice(0, -4)}AAAA` : old.refresh;
    const { session, user } = old;
    const presented = recorder.nameOf(token);
    const answer = recorder.call("refresh", { user, session, presented, by: isForged ? "forger" : "keeper" });
    const { status, body } = await post(context, `${AUTH_URL}/auth/refresh`, { refresh_token: token });
    answer({ status, error: body["error"] });
  }

  for (;;) {
    await sleep(plan.pauseMs * 2 * random());
    if (random() < 0.15) {
      await refreshWrongly();
      continue;
    }
    const old = leaks.access[Math.floor(random() * leaks.access.length)];
    if (old === undefined) continue;
    const isForged = random() < 0.2;
    const token = isForged ? forge(old.access, random) : old.access;
    const name = recorder.nameOf(token);
    if (isForged) recorder.record("forged", { token: name });
    const answer = recorder.call("request", { token: name, session: old.session });
    answer({ status: await callApi(context, API_URL, token) });
  }
}

/** Changes a claim, the key id or the signature of a token. */
function forge(token: string, random: () => number): string {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const change = (part: string, members: object) => {
    const value = JSON.parse(Buffer.from(part, "base64url").toString()) as object;
    return Buffer.from(JSON.stringify({ ...value, ...members })).toString("base64url");
  };
  const choice = random();
  if (choice < 0.3) return [header, change(payload, { sub: "root" }), signature].join(".");
  if (choice < 0.5) return [header, change(payload, { exp: 4_000_000_000 }), signature].join(".");
  if (choice < 0.7)
    return [change(header, { kid: `unknown-${Math.floor(random() * 1e6)}` }), payload, signature].join(".");
  if (choice < 0.85) return [change(header, { alg: "none" }), payload, ""].join(".");
  return [header, payload, Buffer.alloc(64, Math.floor(random() * 256)).toString("base64url")].join(".");
}
