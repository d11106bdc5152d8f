import { setTimeout as pause } from "node:timers/promises";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import type { Authenticate, Issuer, IssuerOptions, TokenResponse } from "../../src/issuer/types.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

export const ISSUER_URL = "https://id.example.com";
export const SECRET = "one secret of more than thirty-two bytes";
export const OTHER_SECRET = "another secret of more than thirty-two bytes";
export const BASIC: string = `Basic ${Buffer.from("orders:the secret of orders").toString("base64")}`;

export interface Fixture {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly issuer: Issuer;
}

/** Accepts every user but `nobody`, with the password `password of NAME`. */
export const authenticate: Authenticate = ({ username, password }) =>
  typeof username === "string" && username !== "nobody" && password === `password of ${username}`
    ? { subject: username, scopes: ["orders:read"], claims: { tenant: "acme" } }
    : null;

/** An `authenticate` for the user `ann`, whose password `old` becomes `new` in the middle of one check. */
export function changingPassword(): {
  readonly authenticate: Authenticate;
  /** Runs `work` during the next check, after the old password was compared. */
  readonly changeDuringNextCheck: (work: () => Promise<void>) => void;
} {
  let password = "old";
  let duringCheck = async () => {};
  return {
    authenticate: async (credentials) => {
      const matches = credentials["password"] === password;
      await duringCheck();
      return matches ? { subject: "ann", scopes: [] } : null;
    },
    changeDuringNextCheck: (work) => {
      duringCheck = async () => {
        duringCheck = async () => {};
        password = "new";
        await work();
      };
    },
  };
}

/** An issuer on a fake clock and an empty store, unless the options bring others. */
export function createFixture(options: Partial<IssuerOptions> = {}): Fixture {
  const clock = (options.clock as FakeClock | undefined) ?? new FakeClock();
  const store = options.store ?? memoryStore({ clock });
  const issuer = createIssuer({
    url: ISSUER_URL,
    audience: "https://api.example.com",
    secret: SECRET,
    authenticate,
    clients: [{ id: "orders", secret: "the secret of orders" }],
    clock,
    ...options,
    store,
  });
  return { clock, store, issuer };
}

export async function logIn(issuer: Issuer, username = "ann", source?: string): Promise<TokenResponse> {
  const outcome = await issuer.login({ username, password: `password of ${username}` }, { source });
  if (outcome.status !== "ok") throw new Error(`login: ${outcome.status}`);
  return outcome.tokens;
}

/** Sends a JSON request. A `body` of type string is sent unchanged. */
export async function sendRequest(
  issuer: Issuer,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await issuer.fetch(
    new Request(new URL(path, ISSUER_URL), {
      method,
      headers: { ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    }),
  );
}

export const bearerHeader = (tokens: TokenResponse): { Authorization: string } => ({
  Authorization: `Bearer ${tokens.access_token}`,
});

/** Validates an access token at `/auth/validate`. */
export async function validateAtIssuer(
  issuer: Issuer,
  token: string,
): Promise<{ valid: boolean; reason?: string; claims?: Record<string, unknown> }> {
  const response = await sendRequest(issuer, "POST", "/auth/validate", { token }, { Authorization: BASIC });
  return (await response.json()) as { valid: boolean };
}

export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<
    string,
    unknown
  >;
}

/**
 * Advances the clock in steps of one millisecond until `work` has settled. The clock does not run ahead of the real one: a
 * password is hashed in real time, and on a busy machine the deadlines of the issuer would pass meanwhile.
 */
export async function settleOnClock<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const waiting = new Set([work]);
  const finished = work.finally(() => waiting.clear());
  while (waiting.size > 0) {
    await clock.advance(1);
    await pause(1);
  }
  return await finished;
}
