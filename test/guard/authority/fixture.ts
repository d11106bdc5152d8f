import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { TestContext } from "node:test";
import type { GuardEvent } from "../../../src/core/events.ts";
import type { Authority, AuthorityOutcome } from "../../../src/guard/authority/authority.ts";
import type { ClientAuthenticationOptions } from "../../../src/guard/authority/client-authentication.ts";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { seededRandom } from "../../../src/testing/random.ts";

export const url = "https://id.example.com/introspect";
export const client = { clientId: "guard", clientSecret: "secret-of-the-guard" };
export const issuer = "https://id.example.com";

type Answer = (token: string, signal: AbortSignal) => Response | Promise<Response>;

/** An authority on a virtual clock. Its `fetch` returns what the test sets. */
export interface AuthoritySetup {
  readonly clock: FakeClock;
  readonly authority: Authority;
  /** Returns the events since the last call, in order. */
  events(): GuardEvent["event"][];
  readonly messages: string[];
  /** The tokens of all requests so far. */
  readonly asked: string[];
  /** The number of requests in flight. */
  concurrent(): number;
  answer: Answer;
  /** Asks about a token, advances the clock by `ms`, and returns the outcome. */
  askAndAdvance(ms: number, token?: string): Promise<AuthorityOutcome>;
}

export const yes = (): Response => Response.json({ active: true, sub: "alice" });
export const no = (): Response => Response.json({ active: false });
/** Answers like a healthy authority: yes, and no to the invented token of a probe. */
export const healthy: Answer = (token) => (token.startsWith("holdfast-probe-") ? no() : yes());
export const status = (code: number, headers: Record<string, string> = {}): Response =>
  new Response("", { status: code, headers });
export const refused = (): never => {
  throw new TypeError("fetch failed", {
    cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
  });
};
/** Never answers. Rejects like `fetch` when it is aborted. */
export const hang: Answer = async (_token, signal) =>
  await new Promise<Response>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );

/** Delays an answer by `ms`. */
export function after(clock: FakeClock, ms: number, answer: Answer): Answer {
  return async (token, signal) => {
    await new Promise<void>((resolve) => void clock.after(ms, resolve));
    return await answer(token, signal);
  };
}

export function setUpAuthority(
  t: TestContext,
  options: Partial<AuthorityOptions> = {},
  who: ClientAuthenticationOptions = client,
): AuthoritySetup {
  const clock = new FakeClock();
  const seen: GuardEvent["event"][] = [];
  const messages: string[] = [];
  let concurrent = 0;
  const setup: AuthoritySetup = {
    clock,
    asked: [],
    messages,
    answer: healthy,
    events: () => seen.splice(0),
    concurrent: () => concurrent,
    authority: introspection({
      url,
      ...who,
      fetch: async (_url, { body, signal }) => {
        const token = new URLSearchParams(body as string).get("token") ?? "";
        setup.asked.push(token);
        concurrent++;
        try {
          return await setup.answer(token, signal as AbortSignal);
        } finally {
          concurrent--;
        }
      },
      ...options,
    }).open({ guard: t.name, issuer, clock, random: seededRandom(1) }),
    askAndAdvance: async (ms, token = "opaque-token-0123456789") => {
      const outcome = setup.authority.ask(token);
      await clock.advance(ms);
      return await outcome;
    },
  };
  const listen = (event: unknown) => {
    const { guard, event: kind, message } = event as GuardEvent;
    if (guard !== t.name) return;
    seen.push(kind);
    messages.push(message);
  };
  subscribe("holdfast:guard", listen);
  t.after(() => {
    setup.authority.close();
    unsubscribe("holdfast:guard", listen);
  });
  return setup;
}
