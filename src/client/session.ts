import { Ended, Unavailable } from "./errors.ts";
import { Ages, endOf, isLive, isSame, readTokens } from "./record.ts";
import { refreshedBody, type Service } from "./service.ts";
import type { DurableStorage } from "./storage.ts";
import type {
  AccessTokenOptions,
  AuthRecord,
  AuthState,
  ClientClock,
  Trouble,
  TroubleCause,
} from "./types.ts";

const MAX_COOL_DOWN_MS = 30_000;
const FIRST_COOL_DOWN_MS = 500;

/** The parts that a session works with. */
export interface SessionParts {
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly service: Service;
  readonly storage: DurableStorage;
  readonly hasCookies: boolean;
  readonly bufferMs: number;
  /** Runs `work` while no other page runs its own. */
  readonly locked: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  /** Tells the other pages to read the storage. */
  readonly announce: () => void;
}

/** The result of a refresh that was tried. */
interface Outcome {
  readonly record: AuthRecord | null;
  /** The refresh token to acknowledge. */
  readonly arrived?: string;
  /** The cause of the failure when the record is not newer. */
  readonly cause?: TroubleCause;
  readonly retryAfterMs?: number;
}

/** The session of one page: its copy of the record, its state, and the one refresh at a time. */
export class Session {
  readonly parts: SessionParts;
  readonly ages: Ages;
  record: AuthRecord | null = null;
  state: AuthState = { status: "loading" };
  /** `null` unless the last refresh failed. */
  trouble: Trouble | null = null;
  readonly listeners: Set<() => void> = new Set();
  ready: Promise<void> = Promise.resolve();
  #refreshing: Promise<AuthRecord> | null = null;
  #failures = 0;
  /** The monotonic time before which no refresh is sent. */
  #retryAt = -Infinity;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.ages = new Ages(parts.clock);
  }

  /** How long the client waits before the next refresh is sent, in milliseconds. */
  get coolDownMs(): number {
    return Math.max(0, this.#retryAt - this.parts.clock.monotonic());
  }

  /** The time until the token should be refreshed, in milliseconds. */
  dueInMs(record: AuthRecord): number {
    return this.ages.left(record) - Math.min(this.parts.bufferMs, record.life / 5);
  }

  async accessToken({ fresh = false, minLifeMs = 0 }: AccessTokenOptions = {}): Promise<AuthRecord> {
    await this.ready;
    const { record } = this;
    if (isLive(record) && !fresh && this.ages.isUsable(record) && this.ages.left(record) >= minLifeMs) {
      if (this.dueInMs(record) <= 0) this.refresh(record).catch(() => undefined);
      return record;
    }
    return await this.refresh(record);
  }

  /** Returns a record that is newer than `seen` and usable. All calls of this page join one refresh. */
  async refresh(seen: AuthRecord | null): Promise<AuthRecord> {
    return await (this.#refreshing ??= this.#refreshOnce(seen).finally(() => (this.#refreshing = null)));
  }

  /** Ends a cool-down that the network caused. The service's own `Retry-After` stays. */
  retryNow(): void {
    if (this.trouble?.cause === "offline" || this.trouble?.cause === "network") this.#retryAt = -Infinity;
  }

  /** Reads what other pages have stored. */
  async reread(): Promise<AuthRecord | null> {
    this.apply(await this.parts.storage.read());
    return this.record;
  }

  /** Takes over a record of the storage, unless a newer one is known. */
  apply(record: AuthRecord | null): void {
    const isOlder = record !== null && this.record !== null && record.n < this.record.n;
    if (!isOlder && !isSame(record, this.record)) {
      this.trouble = null;
      this.#failures = 0;
      this.#retryAt = -Infinity;
    }
    if (!isOlder) this.record = record;
    this.publish();
  }

  /** Makes the state anew, and calls the listeners when it has changed. */
  publish(): void {
    const state = this.#describe();
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    for (const listener of this.listeners) {
      try {
        listener();
      } catch (error) {
        // The error of a listener reaches the page, and no other listener.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #describe(): AuthState {
    const { record, trouble } = this;
    if (!isLive(record)) return { status: "out", cause: record?.out ?? null };
    const { sid: sessionId, sub: subject, at, life } = record;
    const { persistence } = this.parts.storage;
    return { status: "in", sessionId, subject, expiresAt: at + life, persistence, trouble };
  }

  async #refreshOnce(seen: AuthRecord | null): Promise<AuthRecord> {
    const { storage, locked, announce, service } = this.parts;
    const known = await this.reread();
    if (!isLive(known)) throw new Ended(known?.out ?? null);
    if (this.#isNewer(known, seen)) return known;
    if (this.trouble !== null && this.coolDownMs > 0) throw this.#unavailable(this.trouble.cause);
    const { record, arrived, cause, retryAfterMs } = await locked("", async () => {
      const stored = await storage.read();
      if (!isLive(stored) || this.#isNewer(stored, seen)) return { record: stored };
      const outcome = await this.#exchange(stored);
      if (!isSame(outcome.record, stored)) announce();
      return outcome;
    });
    this.apply(record);
    if (arrived !== undefined) {
      // A lost acknowledgement is harmless.
      void service.ask("/auth/refresh/ack", { body: { refresh_token: arrived }, keepalive: true });
    }
    if (!isLive(record)) throw new Ended(record?.out ?? null);
    if (cause !== undefined) throw this.#fail(cause, retryAfterMs ?? 0);
    return record;
  }

  #isNewer(record: AuthRecord, seen: AuthRecord | null): boolean {
    return !isSame(record, seen) && this.ages.isUsable(record);
  }

  /** Presents the refresh token. This runs under the lock, so it calls only the service and the storage. */
  async #exchange(presented: AuthRecord): Promise<Outcome> {
    const { clock, storage, service, hasCookies } = this.parts;
    const at = clock.now();
    const body = hasCookies ? undefined : { refresh_token: presented.refresh, acknowledge: true };
    const answer = await service.ask("/auth/refresh", { body });
    const tokens = readTokens(refreshedBody(answer, hasCookies), hasCookies, presented);
    const isRefused = answer.status === 400 && answer.body?.["error"] === "invalid_grant";
    let isKept = false;
    const record = await storage.update((stored) => {
      isKept = isSame(stored, presented);
      if (!isKept || stored === null) return undefined;
      if (tokens !== null)
        return { ...stored, ...tokens, idle: tokens.idle ?? stored.idle, n: stored.n + 1, at };
      return isRefused ? endOf(stored, isIdleAt(at, presented) ? "expired" : "invalid_grant") : undefined;
    });
    if (tokens !== null) {
      // The user has logged out during the request, so the new session must end too.
      const isOver = !isLive(record) || record.sid !== presented.sid;
      if (!hasCookies && isOver) void service.endSession({ ...tokens, everywhere: false });
      return isKept && answer.body?.["acknowledge"] === true
        ? { record, arrived: tokens.refresh }
        : { record };
    }
    if (isRefused || !isKept) return { record };
    const isConflict = answer.status === 409;
    return { record, cause: isConflict ? "conflict" : answer.cause, retryAfterMs: answer.retryAfterMs };
  }

  /** Notes that a refresh failed, and for how long no other one is sent. */
  #fail(cause: TroubleCause, retryAfterMs: number): Unavailable {
    const { clock, random } = this.parts;
    const backOffMs = Math.min(MAX_COOL_DOWN_MS, FIRST_COOL_DOWN_MS * 2 ** ++this.#failures);
    // Another page is about to store the new token, so a conflict is over soon.
    const ownMs = cause === "conflict" ? FIRST_COOL_DOWN_MS : backOffMs * (1 + random() / 2);
    const coolDownMs = Math.max(retryAfterMs, ownMs);
    this.#retryAt = clock.monotonic() + coolDownMs;
    const now = clock.now();
    this.trouble = { cause, since: this.trouble?.since ?? now, retryAt: Math.round(now + coolDownMs) };
    this.publish();
    return this.#unavailable(cause);
  }

  #unavailable(cause: TroubleCause): Unavailable {
    return new Unavailable(cause, Math.ceil(this.coolDownMs));
  }
}

/** Whether the session has been unused for longer than the service keeps it. */
function isIdleAt(time: number, { at, idle }: AuthRecord): boolean {
  return idle !== null && time - at > idle;
}
