import { setTimeout as pause } from "node:timers/promises";
import {
  login,
  post,
  refresh,
  refreshOrFail,
  measureUntil,
  verify,
  type Tokens,
} from "../support/auth-calls.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import { check, type Figures, type SoakContext } from "./context.ts";
import { randomBetween } from "./random.ts";

export interface TheftOptions extends SoakContext {
  readonly services: readonly ServiceProcess[];
  /** Number of thefts of each kind. */
  readonly each: number;
  /** Whether to wait until a conflict becomes reuse, which some thefts need to be detected. */
  readonly pastConflict: boolean;
}

/** Longer than the `conflictMs` of the service, which is 30 s. */
const PAST_CONFLICT_MS = 31_000;
/** The end of a session must reach every service within this time. */
const MAX_PROPAGATION_MS = 5_000;

/** All tokens that a session ever had, oldest first. */
type Chain = readonly Tokens[];

/**
 * Presents stolen refresh tokens of every generation. A spent token ends its session: at once if it is older than two
 * generations, and otherwise 30 s after the arrival of its successor. A stolen current token works once. The second
 * holder who presents it after that ends the session for both.
 */
export async function runThefts(options: TheftOptions): Promise<Figures> {
  const { random, services, each } = options;
  const base = () => services[randomBetween(random, 0, services.length - 1)]?.url ?? "";

  async function chain(): Promise<Chain> {
    const tokens = [await login(base())];
    for (let left = randomBetween(random, 3, 12); left > 0; left--) {
      tokens.push(await refreshOrFail(base(), tokens.at(-1)?.refresh_token ?? ""));
    }
    return tokens;
  }

  async function endsWith(tokens: Chain, presented: Tokens | undefined): Promise<void> {
    const current = tokens.at(-1) as Tokens;
    check("a stolen token is refused", (await status(base(), presented)) === 400);
    check("a stolen token ends the session", (await status(base(), current)) === 400);
    const refused = await measureUntil(
      async () => (await verify(base(), current.access_token)) === 401,
      MAX_PROPAGATION_MS,
    );
    check("the access tokens of the session are refused", refused < MAX_PROPAGATION_MS);
  }

  const waiting: { tokens: Chain; stolen: Tokens | undefined }[] = [];
  async function wait(tokens: Chain, stolen: Tokens | undefined): Promise<void> {
    const refresh_token = tokens.at(-1)?.refresh_token;
    const acknowledged = await post(base(), "/auth/refresh/ack", { refresh_token });
    check("an acknowledgement is 204", acknowledged.status === 204);
    check("a token whose successor arrived is a conflict", (await status(base(), stolen)) === 409);
    waiting.push({ tokens, stolen });
  }

  for (let n = 0; n < each; n++) {
    const old = await chain();
    await endsWith(old, old[randomBetween(random, 0, old.length - 4)]);
    const recent = await chain();
    await wait(recent, recent.at(-randomBetween(random, 2, 3)));
    // The thief uses the current token first, so the owner presents a spent token.
    const shared = await chain();
    const thief = await refreshOrFail(base(), shared.at(-1)?.refresh_token ?? "");
    await wait([...shared, thief], shared.at(-1));
  }
  if (!options.pastConflict) return { "thefts detected": `${each} of ${each}` };
  await pause(PAST_CONFLICT_MS);
  for (const { tokens, stolen } of waiting) await endsWith(tokens, stolen);
  return { "thefts detected": `${3 * each} of ${3 * each}` };
}

async function status(base: string, tokens: Tokens | undefined): Promise<number> {
  const response = await refresh(base, tokens?.refresh_token ?? "");
  await response.arrayBuffer();
  return response.status;
}
