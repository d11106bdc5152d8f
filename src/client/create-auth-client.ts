import { createFetch } from "./auth-fetch.ts";
import { createSession } from "./create-session.ts";
import { LoginRefused, Unavailable } from "./errors.ts";
import { openSocket } from "./live-socket.ts";
import { flush, keepTokens, sendLogouts } from "./logouts.ts";
import { readUrl, refuse } from "./origins.ts";
import { endOf, noRecord, readTokens } from "./record.ts";
import { obtain } from "./refresh.ts";
import { ask } from "./service.ts";
import { isUsable, locked, type Session } from "./session.ts";
import type { AuthClient, AuthClientOptions, AuthRecord, SessionInfo } from "./types.ts";
import { update } from "./update.ts";
import { keepAwake } from "./wake.ts";

/** Begins a session. Resolves with `false` when the tokens are malformed. */
const begin = async (session: Session, before: AuthRecord, at: number, body: object): Promise<boolean> => {
  const tokens = readTokens(body, session.hasCookies, noRecord);
  if (tokens && !(await keepTokens(session, tokens, at, before))) throw new LoginRefused("logged_out", 0);
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
  const session = createSession(options);
  const { clock } = session;

  const accessToken: AuthClient["accessToken"] = async (wanted) => (await obtain(session, wanted)).access;

  const logout: AuthClient["logout"] = async ({ everywhere } = {}) => {
    await update(session, (record) =>
      endOf(record, "logout", record.life ? [{ refresh: record.refresh, everywhere }] : []),
    );
    await sendLogouts(session);
  };

  session.ready = update(session);

  return {
    get state() {
      return session.state;
    },
    ready: session.ready as Promise<void>,
    subscribe(listener) {
      const call = (isAwake?: boolean) => isAwake ?? listener();
      session.listeners.add(call);
      return () => void session.listeners.delete(call);
    },
    async login(credentials) {
      const before = await update(session);
      // One login at a time. In cookie mode, a late answer to another request would replace or clear the new cookies.
      await locked(session, ":login", async () => {
        const failure = session.hasCookies && (await flush(session));
        if (failure) throw new Unavailable(failure);
        const at = clock.now();
        const answer = await ask(session, "login", credentials);
        const { status, body } = answer;
        if (await begin(session, before, at, body)) return;
        const { error } = body;
        if (status >= 400 && status < 500 && typeof error === "string")
          throw new LoginRefused(error, answer.retryAfterMs);
        throw new Unavailable(answer);
      });
    },
    async adopt(tokens) {
      if (await begin(session, await update(session), clock.now(), tokens)) return;
      refuse("adopt: tokens", "whole", Object.keys(tokens));
    },
    accessToken,
    peek: () => (isUsable(session) && session.record.access) || null,
    fetch: createFetch(session),
    connect(target, socketOptions) {
      const socketUrl = readUrl("connect: url", target);
      if (!session.isListed(socketUrl)) refuse("connect: url", "listed", socketUrl.origin);
      return openSocket(session, socketUrl, socketOptions);
    },
    async sessions() {
      const answer = await ask(session, "sessions?limit=500", undefined, await accessToken());
      const { sessions } = answer.body;
      if (sessions) return sessions as SessionInfo[];
      throw new Unavailable(answer);
    },
    async endSession(sessionId) {
      if (sessionId === (await update(session)).sid) return await logout();
      const answer = await ask(
        session,
        `sessions/${encodeURIComponent(sessionId)}`,
        undefined,
        await accessToken(),
        "DELETE",
      );
      // A session that is not there has ended.
      if (answer.status !== 204 && answer.body["error"] !== "not_found") throw new Unavailable(answer);
    },
    logout,
    close: keepAwake(session),
  };
};
