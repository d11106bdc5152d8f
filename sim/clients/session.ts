import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { AUTH_URL } from "../addresses.ts";
import { post, type Answer } from "../http.ts";
import type { Plan } from "../plan.ts";
import type { Recorder } from "../recorder.ts";

/** The tokens that a client has stored. */
export interface StoredTokens {
  readonly access: string;
  readonly refresh: string;
  readonly session: string;
  readonly user: string;
  /** Whether the user is one of the store, whose subject is not its name. */
  readonly isStored: boolean;
  /** `exp` of the access token, epoch milliseconds. */
  readonly expiresAt: number;
}

/** The tokens of ended and living sessions, which thieves and keepers take from the clients. */
interface Leaks {
  readonly access: StoredTokens[];
  /** Tokens of sessions whose logout was confirmed. */
  readonly ended: StoredTokens[];
  /** Tokens of sessions that their owner left without a logout, and when. */
  readonly left: { readonly tokens: StoredTokens; readonly at: number }[];
  /** Spent refresh tokens whose successor was acknowledged or used. */
  readonly spent: { readonly token: string; readonly session: string; readonly user: string }[];
}

export interface ClientParts {
  readonly plan: Plan;
  readonly recorder: Recorder;
  readonly leaks: Leaks;
}

/** The owner of a session. */
export interface SessionOwner {
  readonly user: string;
  /** Whether the client acknowledges the tokens of a refresh. */
  readonly acknowledges: boolean;
  /** The file of its tokens. Default `tokens`. */
  readonly file?: string;
}

const MAX_LEAKS = 200;
const RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
const MAX_LOGOUTS = 20;

/** The session of one client: its tokens survive the restart of the client, and each call is in the history. */
export class ClientSession {
  readonly #context: ProcessContext;
  readonly #parts: ClientParts;
  readonly #owner: SessionOwner;
  readonly #file: string;
  #held: StoredTokens | null;
  #refreshing: Promise<void> | null = null;

  constructor(context: ProcessContext, parts: ClientParts, owner: SessionOwner) {
    this.#context = context;
    this.#parts = parts;
    this.#owner = owner;
    this.#file = owner.file ?? "tokens";
    this.#held = JSON.parse(context.disk.get(this.#file) ?? "null") as StoredTokens | null;
  }

  /** The tokens of the session. `null` while the user is logged out. */
  get held(): StoredTokens | null {
    return this.#held;
  }

  /** Replaces the tokens, for example by those of a login that another part of the client did. */
  adopt(tokens: StoredTokens | null): void {
    this.#held = tokens;
    this.#context.disk.set(this.#file, JSON.stringify(tokens));
    if (tokens !== null) remember(this.#parts.leaks.access, tokens);
  }

  async logIn(): Promise<void> {
    const { user } = this.#owner;
    const { recorder } = this.#parts;
    const answer = recorder.call("login", { user });
    const { status, body } = await post(this.#context, `${AUTH_URL}/passkey`, { user });
    const tokens = status === 200 ? parseTokens(body, user) : null;
    answer({ status, ...(tokens !== null && recorder.issued(tokens)) });
    if (tokens !== null) this.adopt(tokens);
  }

  /** Refreshes the tokens, unless that is under way already: a client must not present a token that it has replaced. */
  async refresh(before: StoredTokens): Promise<void> {
    this.#refreshing ??= this.#present(before).finally(() => (this.#refreshing = null));
    await this.#refreshing;
  }

  /** Presents the refresh token until there is a definite answer, as every client must. */
  async #present(before: StoredTokens): Promise<void> {
    const { recorder } = this.#parts;
    const { user, acknowledges } = this.#owner;
    const { sleep, random } = this.#context;
    const presented = recorder.nameOf(before.refresh);
    for (let attempt = 0; ; attempt++) {
      const answer = recorder.call("refresh", { user, session: before.session, presented, by: "owner" });
      const body = { refresh_token: before.refresh, ...(acknowledges && { acknowledge: true }) };
      const given = await post(this.#context, `${AUTH_URL}/auth/refresh`, body);
      const tokens = given.status === 200 ? parseTokens(given.body, user) : null;
      const { error } = given.body;
      answer({ status: given.status, error, ...(tokens !== null && recorder.issued(tokens)) });
      if (tokens !== null) return await this.#take(before, tokens);
      if (given.status === 400) {
        this.adopt(null);
        return;
      }
      await sleep((0.5 + random()) * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(attempt, 10)));
    }
  }

  /** Stores the tokens durably, and then acknowledges them. */
  async #take(before: StoredTokens, tokens: StoredTokens): Promise<void> {
    this.adopt(tokens);
    if (!this.#owner.acknowledges) return;
    const { recorder, leaks } = this.#parts;
    const { session, user, refresh } = tokens;
    const answer = recorder.call("acknowledge", { session, refresh: recorder.nameOf(refresh) });
    const { status } = await post(this.#context, `${AUTH_URL}/auth/refresh/ack`, { refresh_token: refresh });
    answer({ status });
    if (status === 204) remember(leaks.spent, { token: before.refresh, session, user });
  }

  /** The user closes the application for good. Another one logs in. */
  leave(tokens: StoredTokens): void {
    this.adopt(null);
    remember(this.#parts.leaks.left, { tokens, at: this.#context.clock.now() });
  }

  /** Forgets the tokens at once, and repeats the logout until the service confirms it. */
  async logOut(tokens: StoredTokens): Promise<void> {
    const { sleep, random } = this.#context;
    const { session, user, refresh } = tokens;
    this.adopt(null);
    for (let attempt = 0; attempt < MAX_LOGOUTS; attempt++) {
      const answer = this.#parts.recorder.call("logout", { session, user });
      const { status } = await post(this.#context, `${AUTH_URL}/auth/logout`, { refresh_token: refresh });
      answer({ status });
      if (status === 204) return remember(this.#parts.leaks.ended, tokens);
      await sleep(RETRY_MS * (1 + random()));
    }
  }
}

export function remember<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > MAX_LEAKS) list.shift();
}

/** Reads a token response. */
export function parseTokens(body: Answer["body"], user: string): StoredTokens {
  const access = String(body["access_token"]);
  const payload = Buffer.from(access.split(".")[1] ?? "", "base64url").toString();
  const { exp, sub } = JSON.parse(payload) as { exp: number; sub: string };
  return {
    access,
    refresh: String(body["refresh_token"]),
    session: String(body["session_id"]),
    user,
    isStored: sub !== user,
    expiresAt: exp * 1_000,
  };
}
