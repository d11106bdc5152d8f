import { LoginRefused, Unavailable } from "./errors.ts";
import { endOf, isLive, isSame, readTokens } from "./record.ts";
import type { Session } from "./session.ts";
import type { AuthRecord, PendingLogout } from "./types.ts";

/** Logs in and out, and sends the logouts that the service has not confirmed. */
export class Account {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async login(credentials: Readonly<Record<string, unknown>>): Promise<void> {
    const { clock, service, hasCookies } = this.#session.parts;
    await this.#session.ready;
    const before = await this.#session.reread();
    // A login replaces the cookies, so the logout must come first.
    if (hasCookies && !(await this.#send(before))) throw new Unavailable("network", 0);
    const at = clock.now();
    const answer = await service.ask("/auth/login", { body: credentials });
    const { status, body, cause, retryAfterMs } = answer;
    const tokens = status === 200 ? body : null;
    if (tokens !== null && (await this.#begin(tokens, at, before))) return;
    const error = body?.["error"];
    if (status >= 400 && status < 500 && typeof error === "string") {
      throw new LoginRefused(error, retryAfterMs);
    }
    throw new Unavailable(cause, retryAfterMs);
  }

  async adopt(tokens: unknown): Promise<void> {
    const { clock } = this.#session.parts;
    await this.#session.ready;
    if (!(await this.#begin(tokens, clock.now(), await this.#session.reread()))) {
      throw new TypeError("adopt: tokens must be an answer of the service with expires_in and session_id");
    }
  }

  async logout(everywhere: boolean): Promise<void> {
    const { storage, announce } = this.#session.parts;
    await this.#session.ready;
    const record = await storage.update((stored) => {
      const outbox = stored?.outbox ?? [];
      const pending = isLive(stored) ? [...outbox, { refresh: stored.refresh, everywhere }] : outbox;
      return endOf(stored, "logout", pending);
    });
    this.#session.apply(record);
    announce();
    await this.#send(record);
  }

  /** Sends the logouts of earlier pages. Other pages wait for their turn, so that each logout is sent once. */
  async flush(): Promise<void> {
    const { locked, storage } = this.#session.parts;
    if (this.#session.record?.outbox.length) {
      await locked(":outbox", async () => await this.#send(await storage.read()));
    }
  }

  /** Begins a session. Resolves with `false` when the tokens are malformed. */
  async #begin(body: unknown, at: number, before: AuthRecord | null): Promise<boolean> {
    const { storage, service, announce, hasCookies } = this.#session.parts;
    const tokens = readTokens(body, hasCookies, null);
    if (tokens === null) return false;
    let isCancelled = false;
    const record = await storage.update((stored) => {
      isCancelled = !isLive(stored) && !isSame(stored, before);
      if (isCancelled) return undefined;
      const outbox = stored?.outbox ?? [];
      const isReplaced = isLive(stored) && stored.sid !== tokens.sid && !hasCookies;
      const replaced = isReplaced ? [{ refresh: stored.refresh, everywhere: false }] : [];
      return { ...tokens, n: (stored?.n ?? 0) + 1, at, outbox: [...outbox, ...replaced] };
    });
    this.#session.apply(record);
    announce();
    if (isCancelled) {
      void service.endSession({ ...tokens, everywhere: false });
      throw new LoginRefused("logged_out", 0);
    }
    void this.#send(record);
    return true;
  }

  /** Resolves with whether the service has confirmed every logout. */
  async #send(record: AuthRecord | null): Promise<boolean> {
    const { service, storage } = this.#session.parts;
    const sent = await Promise.all(
      (record?.outbox ?? []).map(async (pending) => {
        if (!(await service.endSession(pending))) return false;
        const rest = ({ refresh, everywhere }: PendingLogout) =>
          refresh !== pending.refresh || everywhere !== pending.everywhere;
        await storage.update(
          (stored) => (stored && { ...stored, outbox: stored.outbox.filter(rest) }) || undefined,
        );
        return true;
      }),
    );
    await this.#session.reread();
    return !sent.includes(false);
  }
}
