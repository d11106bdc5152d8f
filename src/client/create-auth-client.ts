import { createFetch } from "./auth-fetch.ts";
import { createSession } from "./create-session.ts";
import { LoginRefused, Unavailable } from "./errors.ts";
import { openSocket } from "./live-socket.ts";
import { flush, keepTokens, sendLogouts } from "./logouts.ts";
import { readUrl, refuse } from "./origins.ts";
import { endOf, noRecord, readTokens } from "./record.ts";
import type { Session } from "./session.ts";
import type { AuthClient, AuthClientOptions, AuthRecord, SessionInfo } from "./types.ts";
import { keepAwake } from "./wake.ts";

/** Begins a session. Resolves with `false` when the tokens are malformed. */
const begin = async (session: Session, before: AuthRecord, at: number, body: object): Promise<boolean> => {
  const tokens = readTokens(body, session.hasCookies, noRecord);
  const isExpected = ({ n, life }: AuthRecord) => life || n === before.n;
  if (tokens && !(await keepTokens(session, tokens, at, isExpected))) throw new LoginRefused("logged_out", 0);
  return Boolean(tokens);
};

/**
 * Creates the client that keeps a user logged in, in every tab of the browser. It reads the stored session at once. Throws
 * a `TypeError` that names the option.
 *
 * @example
 * ```ts
 * import { createAuthClient } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com", origins: ["https://api.example.com"] });
 * await auth.login({ username: "ann", password: "correct horse battery" });
 * const orders = await auth.fetch("https://api.example.com/orders");
 * console.log(orders.status, auth.state.status);
 * ```
 */
export const createAuthClient = (options: AuthClientOptions): AuthClient => {
  const [session, send, fetch, isListed, name] = createSession(options);
  const { clock, ask } = session;
  const askSessions = async (method: string, rest: string) =>
    await ask(`sessions${rest}`, undefined, (await session.obtain()).access, method);

  const logout: AuthClient["logout"] = async ({ everywhere } = {}) => {
    await session.update((record) =>
      endOf(record, "logout", record.life ? [{ refresh: record.refresh, everywhere }] : []),
    );
    await sendLogouts(session);
  };

  return {
    get state() {
      return session.state;
    },
    ready: session.ready as Promise<void>,
    subscribe(listener) {
      const call = (isAwake?: boolean) => isAwake || listener();
      session.listeners.add(call);
      return () => void session.listeners.delete(call);
    },
    async login(credentials) {
      const before = await session.update();
      // One login at a time. In cookie mode, a late answer to another request would replace or clear the new cookies.
      await session.locked(":login", async () => {
        if (session.hasCookies && !(await flush(session))) {
          throw new Unavailable({ cause: "network", retryAfterMs: 0 });
        }
        const at = clock.now();
        const answer = await ask("login", credentials);
        const { status, body } = answer;
        if (await begin(session, before, at, body)) return;
        const { error } = body;
        if (status >= 400 && status < 500 && typeof error === "string")
          throw new LoginRefused(error, answer.retryAfterMs);
        throw new Unavailable(answer);
      });
    },
    async adopt(tokens) {
      if (await begin(session, await session.update(), clock.now(), tokens)) return;
      refuse("adopt: tokens", "an answer of the service", "another object");
    },
    accessToken: async (wanted) => (await session.obtain(wanted)).access,
    peek: () => (session.isUsable(session.record) && session.record.access) || null,
    fetch: createFetch(session, fetch, send, isListed),
    connect(target, socketOptions) {
      const socketUrl = readUrl("connect: url", target);
      if (isListed(socketUrl)) return openSocket(session, socketUrl, socketOptions);
      return refuse("connect: url", "of a listed origin", socketUrl.origin);
    },
    async sessions() {
      const answer = await askSessions("GET", "?limit=500");
      const { sessions } = answer.body;
      if (sessions) return sessions as SessionInfo[];
      throw new Unavailable(answer);
    },
    async endSession(sessionId) {
      if (sessionId === session.record.sid) return await logout();
      const answer = await askSessions("DELETE", `/${encodeURIComponent(sessionId)}`);
      // A session that is not there has ended.
      if (answer.status !== 204 && answer.body["error"] !== "not_found") throw new Unavailable(answer);
    },
    logout,
    close: keepAwake(session, name),
  };
};
