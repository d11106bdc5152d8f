import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { API_URL, AUTH_URL } from "../addresses.ts";
import { callApi, post } from "../http.ts";
import type { ClientParts, StoredTokens } from "./session.ts";

const EXPIRY_MARGIN_MS = 60_000;

/** Presents old access tokens and forged ones, and refreshes with tokens of sessions that may have ended. */
export async function runKeeper(
  context: ProcessContext,
  { plan, recorder, leaks }: ClientParts,
): Promise<void> {
  const { sleep, random, clock } = context;

  /** Sessions that were not refreshed for longer than the store may keep them. */
  function expired(): StoredTokens[] {
    const before = clock.now() - plan.lifetimes.refreshIdleMs - EXPIRY_MARGIN_MS;
    return leaks.left.filter(({ at }) => at < before).map(({ tokens }) => tokens);
  }

  /** Refreshes with a token of a session that has ended or expired, or with one whose MAC is wrong. */
  async function refreshWrongly(): Promise<void> {
    const by = pick(["forger", "keeper", "finder"], random) ?? "forger";
    const old = pick({ forger: leaks.access, keeper: leaks.ended, finder: expired() }[by] ?? [], random);
    if (old === undefined) return;
    const token = by === "forger" ? `${old.refresh.slice(0, -4)}AAAA` : old.refresh;
    const { session, user } = old;
    const presented = recorder.nameOf(token);
    const answer = recorder.call("refresh", { user, session, presented, by });
    const { status, body } = await post(context, `${AUTH_URL}/auth/refresh`, { refresh_token: token });
    answer({ status, error: body["error"] });
  }

  for (;;) {
    await sleep(plan.pauseMs * 2 * random());
    if (random() < 0.15) {
      await refreshWrongly();
      continue;
    }
    const old = pick(leaks.access, random);
    if (old === undefined) continue;
    const isForged = random() < 0.2;
    const token = isForged ? forge(old.access, random) : old.access;
    const name = recorder.nameOf(token);
    if (isForged) recorder.record("forged", { token: name });
    const answer = recorder.call("request", { token: name, session: old.session });
    answer({ status: await callApi(context, API_URL, token) });
  }
}

function pick<T>(values: readonly T[], random: () => number): T | undefined {
  return values[Math.floor(random() * values.length)];
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
