import { deviceClock, within } from "./clock.ts";
import { Ended, Unavailable } from "./errors.ts";
import { withLock } from "./lock.ts";
import { readUrl } from "./origins.ts";
import { endOf, isLive, isSame, newest, noRecord, readTokens } from "./record.ts";
import { createAsk, type Answer, type Ask } from "./service.ts";
import { deviceStorage, memoryStorage } from "./storage.ts";
import type {
  AccessTokenOptions,
  AuthClientOptions,
  AuthRecord,
  AuthState,
  AuthStorage,
  ClientClock,
  Trouble,
} from "./types.ts";

const MAX_COOL_DOWN_MS = 30_000;
const FIRST_COOL_DOWN_MS = 500;
/** A wall clock that went back by more than this makes a token stale. */
const CLOCK_TOLERANCE_MS = 60_000;
/** A storage that does not answer in this time counts as failed. */
const STORAGE_WAIT_MS = 1_800;
/** A storage that failed is not asked again for this time. */
const STORAGE_PAUSE_MS = 30_000;

/** Decides about a change of the record. `undefined` changes nothing. */
type Change = (record: AuthRecord) => AuthRecord | undefined;

/** The session of one page: its copy of the record, its state, and the one refresh at a time. */
export class Session {
  readonly options: AuthClientOptions;
  readonly clock: ClientClock;
  /** The name of the channel and of the locks. */
  readonly name: string;
  readonly url: URL;
  readonly ask: Ask;
  readonly hasCookies: boolean;
  record: AuthRecord = noRecord;
  state: AuthState = { status: "loading" };
  readonly ready: Promise<void>;
  readonly listeners: Set<() => void> = new Set();
  /** Called when the page becomes visible, comes back or is online again. */
  readonly wakers: Set<() => void> = new Set();
  /** Tells the other pages to read the storage. They get the record itself when the storage has failed. */
  announce: (unstored: AuthRecord | null) => void = () => undefined;
  /** The monotonic time before which no refresh is sent. */
  retryAt: number = -Infinity;
  readonly #storage: AuthStorage;
  #persistence: "device" | "memory";
  #wasStored = false;
  /** The monotonic time before which the storage is not asked. */
  #storageRetryAt = -Infinity;
  /** `null` unless the last refresh failed. */
  #trouble: Trouble | null = null;
  #failures = 0;
  #refreshing: Promise<AuthRecord> | null = null;
  /** The record whose age was asked last, how old its token was at first, and when that was. */
  #seen = { n: -1, age: 0, seenAt: 0 };

  constructor(options: AuthClientOptions) {
    const { key = "auth", storage = "device", clock = deviceClock, mode = "token" } = options;
    // A misspelt mode must not keep tokens where scripts can read them.
    if (!/^(?:token|cookie)$/.test(mode)) throw new TypeError(`mode must be token or cookie, got ${mode}`);
    this.options = options;
    this.name = `holdfast:${key}`;
    this.clock = clock;
    this.hasCookies = mode === "cookie";
    this.url = readUrl("baseUrl", options.baseUrl);
    this.ask = createAsk(this.url.href.replace(/\/$/, ""), options, clock);
    this.#storage =
      storage === "device" ? deviceStorage(key) : storage === "memory" ? memoryStorage() : storage;
    this.#persistence = this.#storage.persistence;
    this.ready = this.update().then(() => undefined);
  }

  /**
   * The life that the access token has left, in milliseconds. Its age is the larger of wall and monotonic elapsed time.
   * A suspended device stops the monotonic clock, and the wall clock can be set back.
   */
  left({ n, at, life }: AuthRecord): number {
    const wall = this.clock.now() - at;
    const monotonic = this.clock.monotonic();
    if (this.#seen.n !== n) this.#seen = { n, age: Math.max(0, wall), seenAt: monotonic };
    const { age, seenAt } = this.#seen;
    return wall < -CLOCK_TOLERANCE_MS ? -Infinity : life - Math.max(wall, age + monotonic - seenAt);
  }

  /** Whether a server accepts the token long enough for a request. */
  isUsable(record: AuthRecord, minLifeMs = 0): boolean {
    return isLive(record) && this.left(record) > Math.max(minLifeMs, Math.min(5_000, record.life / 10));
  }

  /** The time until the token should be refreshed, in milliseconds. */
  dueInMs(record: AuthRecord): number {
    return this.left(record) - Math.min(this.options.bufferMs ?? 300_000, record.life / 5);
  }

  /** How long the client waits before the next refresh is sent, in milliseconds. */
  coolDownMs(): number {
    return Math.max(0, Math.ceil(this.retryAt - this.clock.monotonic()));
  }

  /** Returns a record with a usable token. Rejects with `Unavailable` or `Ended`. */
  async obtain({ fresh = false, minLifeMs }: AccessTokenOptions = {}): Promise<AuthRecord> {
    await this.ready;
    const { record } = this;
    if (fresh || !this.isUsable(record, minLifeMs)) return await this.refresh(record);
    if (this.dueInMs(record) <= 0) this.refresh(record).catch(() => undefined);
    return record;
  }

  /** Returns a record that is newer than `seen` and usable. All calls of this page join one refresh. */
  async refresh(seen: AuthRecord): Promise<AuthRecord> {
    return await (this.#refreshing ??= this.#refreshOnce(seen).finally(() => (this.#refreshing = null)));
  }

  /** Runs `work` while no other page runs its own. */
  async locked<T>(suffix: string, work: () => Promise<T>): Promise<T> {
    return await withLock(this.name + suffix, this.options.lockWaitMs ?? 4_000, this.clock, work);
  }

  /**
   * Reads the record that all pages share, and writes what `change` makes of it. After a failure of the storage the page
   * uses its own copy, and writes the copy when the storage works again. Never rejects.
   */
  async update(change: Change = () => undefined): Promise<AuthRecord> {
    const now = this.clock.monotonic();
    let hasChanged = false;
    const decide = (stored: AuthRecord | null): AuthRecord | undefined => {
      if (stored === null && this.#wasStored && isLive(this.record)) {
        // The user or the browser deleted the session. The page keeps it, and does not store it again.
        this.#storageRetryAt = Infinity;
        throw new Error("deleted");
      }
      const known = newest(stored ?? noRecord, this.record);
      const next = change(known);
      hasChanged = next !== undefined;
      return next ?? (isSame(known, stored ?? noRecord) ? undefined : known);
    };
    if (now >= this.#storageRetryAt) {
      try {
        const stored = await within(this.clock, STORAGE_WAIT_MS, this.#storage.update(decide));
        this.#wasStored ||= stored !== null;
        this.#persistence = this.#storage.persistence;
        if (hasChanged) this.announce(null);
        return this.apply(stored ?? noRecord);
      } catch {
        this.#storageRetryAt = Math.max(this.#storageRetryAt, now + STORAGE_PAUSE_MS);
      }
    }
    this.#persistence = "memory";
    const next = change(this.record);
    if (next !== undefined) this.announce(next);
    return this.apply(next ?? this.record);
  }

  /** Takes over a record, unless a newer one is known. Returns the newer one. */
  apply(record: AuthRecord): AuthRecord {
    const newer = newest(record, this.record);
    if (!isSame(newer, this.record)) {
      this.#trouble = null;
      this.#failures = 0;
      this.retryAt = -Infinity;
    }
    this.record = newer;
    this.#publish();
    return this.record;
  }

  /** Makes the state anew, and calls the listeners when it has changed. */
  #publish(): void {
    const { sid: sessionId, sub: subject, at, life, out } = this.record;
    const facts = { sessionId, subject, expiresAt: at + life, persistence: this.#persistence };
    const state: AuthState =
      out === undefined ? { status: "in", ...facts, trouble: this.#trouble } : { status: "out", cause: out };
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    // The error of a listener reaches the page, and no other listener.
    for (const listener of this.listeners) void this.ready.then(listener);
  }

  async #refreshOnce(seen: AuthRecord): Promise<AuthRecord> {
    const isNewer = (record: AuthRecord) => !isSame(record, seen) && this.isUsable(record);
    const isDue = (record: AuthRecord) => isLive(record) && !isNewer(record);
    if (isDue(await this.update())) {
      const retryAfterMs = this.coolDownMs();
      if (this.#trouble && retryAfterMs > 0) throw new Unavailable({ ...this.#trouble, retryAfterMs });
      const failure = await this.locked("", async () => {
        const record = await this.update();
        return isDue(record) ? await this.#exchange(record) : null;
      });
      if (failure !== null) throw this.#fail(failure);
    }
    if (isLive(this.record)) return this.record;
    throw new Ended(this.record.out ?? null);
  }

  /**
   * Presents the refresh token. This runs under the lock, so it calls only the service and the storage. Returns the answer
   * when it is a failure, and `null` when there is another record now.
   */
  async #exchange(presented: AuthRecord): Promise<Answer | null> {
    const { hasCookies, ask } = this;
    const at = this.clock.now();
    const request = hasCookies ? undefined : { refresh_token: presented.refresh, acknowledge: true };
    const answer = await ask("/auth/refresh", request);
    const { status, body, expiresIn } = answer;
    const answered = hasCookies ? { expires_in: Number(expiresIn) } : body;
    const tokens = status === (hasCookies ? 204 : 200) ? readTokens(answered, hasCookies, presented) : null;
    const isRefused = status === 400 && body["error"] === "invalid_grant";
    const isIdle = presented.idle !== null && at - presented.at > presented.idle;
    let isKept = false;
    const record = await this.update((stored) => {
      isKept = isSame(stored, presented);
      if (isKept && tokens !== null) return { ...stored, ...tokens, n: stored.n + 1, at };
      return isKept && isRefused ? endOf(stored, isIdle ? "expired" : "invalid_grant") : undefined;
    });
    if (tokens === null) return isRefused || !isKept ? null : answer;
    // A lost acknowledgement is harmless. After a logout during the request, the new session must end too.
    const path = isKept
      ? body["acknowledge"] === true && "/auth/refresh/ack"
      : !isLive(record) && "/auth/logout";
    if (path && !hasCookies) void ask(path, { refresh_token: tokens.refresh });
    return null;
  }

  /** Notes that a refresh failed, and for how long no other one is sent. */
  #fail({ status, cause: usual, retryAfterMs: wished }: Answer): Unavailable {
    const isConflict = status === 409;
    const cause = isConflict ? "conflict" : usual;
    const backOffMs = Math.min(MAX_COOL_DOWN_MS, FIRST_COOL_DOWN_MS * 2 ** ++this.#failures);
    const jitter = 1 + (this.options.random ?? Math.random)() / 2;
    // Another page is about to store the new token, so a conflict is over soon.
    const retryAfterMs = Math.max(wished, isConflict ? FIRST_COOL_DOWN_MS : backOffMs * jitter);
    const now = this.clock.now();
    this.retryAt = this.clock.monotonic() + retryAfterMs;
    this.#trouble = { cause, since: this.#trouble?.since ?? now, retryAt: Math.round(now + retryAfterMs) };
    this.#publish();
    return new Unavailable({ cause, retryAfterMs: Math.ceil(retryAfterMs) });
  }
}
