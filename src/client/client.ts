import { authFetch } from "./auth-fetch.ts";
import { LoginRefused, Unavailable } from "./errors.ts";
import { LiveSocket } from "./live-socket.ts";
import { Origins, readUrl } from "./origins.ts";
import { endOf, isLive, isSame, noRecord, readTokens } from "./record.ts";
import type { Answer } from "./service.ts";
import { Session } from "./session.ts";
import type { AuthClient, AuthClientOptions, AuthRecord, PendingLogout, SessionInfo } from "./types.ts";
import { keepAwake } from "./wake.ts";

/** The public methods. Each is bound, so that a page can hand it to a library. */
export class Client extends Session implements AuthClient {
  readonly origins: Origins;
  readonly close: AuthClient["close"];

  constructor(options: AuthClientOptions) {
    super(options);
    this.origins = new Origins(this.url, options.origins ?? []);
    this.close = keepAwake(this, async () => await this.#sendLogouts());
  }

  readonly subscribe: AuthClient["subscribe"] = (listener) => {
    const call = () => listener();
    this.listeners.add(call);
    return () => void this.listeners.delete(call);
  };

  readonly login: AuthClient["login"] = async (credentials) => {
    await this.ready;
    const before = await this.update();
    // A login replaces the cookies, so the logout must come first.
    if (this.hasCookies && !(await this.#sendLogouts())) {
      throw new Unavailable({ cause: "network", retryAfterMs: 0 });
    }
    const at = this.clock.now();
    const answer = await this.ask("/auth/login", credentials);
    const { status, body } = answer;
    if (status === 200 && (await this.#begin(body, at, before))) return;
    const isRefused = status >= 400 && status < 500 && typeof body["error"] === "string";
    throw isRefused ? new LoginRefused(String(body["error"]), answer.retryAfterMs) : new Unavailable(answer);
  };

  readonly adopt: AuthClient["adopt"] = async (tokens) => {
    const at = this.clock.now();
    await this.ready;
    if (await this.#begin(tokens, at, await this.update())) return;
    throw new TypeError("adopt: tokens must be an answer of the service");
  };

  readonly accessToken: AuthClient["accessToken"] = async (options) => (await this.obtain(options)).access;

  readonly peek: AuthClient["peek"] = () => (this.isUsable(this.record) && this.record.access) || null;

  readonly fetch: AuthClient["fetch"] = authFetch(this);

  readonly connect: AuthClient["connect"] = (target, options) => {
    const url = readUrl("connect: url", target);
    if (this.origins.has(url)) return new LiveSocket(this, url, options);
    throw new TypeError(`connect: url must have a listed origin, got ${url.origin}`);
  };

  readonly sessions: AuthClient["sessions"] = async () => {
    const answer = await this.#askWithToken("GET", "?limit=500");
    const { sessions } = answer.body;
    if (answer.status !== 200 || !Array.isArray(sessions)) throw new Unavailable(answer);
    return sessions as SessionInfo[];
  };

  readonly endSession: AuthClient["endSession"] = async (sessionId) => {
    if (sessionId === this.record.sid) return await this.logout();
    const answer = await this.#askWithToken("DELETE", `/${encodeURIComponent(sessionId)}`);
    // A session that is not there has ended.
    if (answer.status !== 204 && answer.body["error"] !== "not_found") throw new Unavailable(answer);
  };

  readonly logout: AuthClient["logout"] = async ({ everywhere = false } = {}) => {
    await this.ready;
    await this.update((record) => {
      const { refresh, outbox } = record;
      return endOf(record, "logout", isLive(record) ? [...outbox, { refresh, everywhere }] : outbox);
    });
    await this.#sendLogouts();
  };

  /** Begins a session. Resolves with `false` when the tokens are malformed. */
  async #begin(body: object, at: number, before: AuthRecord): Promise<boolean> {
    const tokens = readTokens(body, this.hasCookies, noRecord);
    if (tokens === null) return false;
    let isCancelled = false;
    await this.update((record) => {
      isCancelled = !isLive(record) && !isSame(record, before);
      const { n, outbox } = record;
      return isCancelled ? undefined : { ...tokens, n: n + 1, at, outbox };
    });
    if (!isCancelled) return true;
    void this.#sendLogout({ refresh: tokens.refresh, everywhere: false });
    throw new LoginRefused("logged_out", 0);
  }

  async #askWithToken(method: string, rest: string): Promise<Answer> {
    return await this.ask(`/auth/sessions${rest}`, undefined, await this.accessToken(), method);
  }

  /** Sends the logouts that wait in the record. Resolves with whether the service has confirmed all of them. */
  async #sendLogouts(): Promise<boolean> {
    await Promise.all(
      this.record.outbox.map(async (pending) => {
        if (!(await this.#sendLogout(pending))) return;
        const isOther = ({ refresh }: PendingLogout) => refresh !== pending.refresh;
        await this.update((record) => ({ ...record, outbox: record.outbox.filter(isOther) }));
      }),
    );
    return this.record.outbox.length === 0;
  }

  /** Resolves with whether the service has answered for good. */
  async #sendLogout({ refresh, everywhere }: PendingLogout): Promise<boolean> {
    const send = async (path: string) => {
      const { status, body } = await this.ask(path, this.hasCookies ? undefined : { refresh_token: refresh });
      // The page of a proxy proves nothing, so a refusal must have the form of the service.
      return status === 204 ? status : (status === 400 || status === 401) && body["error"];
    };
    const first = everywhere && (await send("/auth/logout-all"));
    // A spent token cannot end other sessions, but it can end its own.
    const isOpen = !everywhere || typeof first === "string";
    return Boolean(isOpen ? await send("/auth/logout") : first);
  }
}
