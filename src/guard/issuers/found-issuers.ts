import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { unavailableVerdict, type InvalidVerdict, type UnavailableVerdict } from "../../core/verdict.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import { TtlCache } from "../../resilience/ttl-cache.ts";
import { describeError, emit } from "../emit.ts";
import { isSameIssuer, nameIssuer, readIssuer } from "../issuer-settings.ts";
import type { IssuerFamily, IssuerSettings } from "../issuer-settings.ts";
import { HostLimits } from "../keys/host-limits.ts";
import type { RevocationView } from "../revocations/view.ts";
import type { GuardSettings } from "../settings.ts";
import type { FoundIssuersStatus } from "../status-types.ts";
import { DecisionCounts } from "../metrics/decision-counts.ts";
import type { SharedCache } from "../shared/shared-cache.ts";
import {
  closeGuardedIssuer,
  openGuardedIssuer,
  startGuardedIssuer,
  type GuardedIssuer,
} from "./guarded-issuer.ts";
import { MAX_ISSUER_LENGTH } from "./tenants.ts";
import { mayGiveUp, probationOf, type OpenIssuer } from "./open-issuer.ts";
import { UnprovenHosts } from "./unproven-hosts.ts";

/** The issuer of a token, or the verdict when the guard has none for it. */
export type FoundIssuer = GuardedIssuer | InvalidVerdict | UnavailableVerdict;

/** Time limit of one call of `issuerFor`. */
const ASK_TIMEOUT_MS = 5_000;
/** The age of an answer of `issuerFor` at which the next token asks again in the background. */
const ANSWER_FRESH_MS = 300_000;
/** The pause after a failed call of `issuerFor` for an issuer that is known. */
const ASK_RETRY_MS = 30_000;
/** How long an issuer stays trusted while `issuerFor` fails. */
const ANSWER_STALE_MS = 86_400_000;
/** How long an issuer stays unknown after `issuerFor` answered `null`. */
const ABSENT_MS = 60_000;
const MAX_ABSENT = 10_000;
/** The issuers that are looked up, or that no token has proved yet. Anyone can make up an `iss`. */
const MAX_UNPROVEN = 256;
/** The attempts at one host for unproven issuers. The known issuers of the host have eight others. */
const UNPROVEN_PER_HOST = 4;
/** Strangers choose the issuers that fail, so a log gets one of them a minute. */
const FAILURE_EVENT_MS = 60_000;

/** The parts that the found issuers share with the guard. */
export interface FoundIssuersParts {
  readonly hosts: HostLimits;
  readonly sharedCache: SharedCache | undefined;
  /** The verdict about a token of an issuer that is not trusted, or the configured issuer whose keys it waits for. */
  readonly refuse: (iss: string) => GuardedIssuer | InvalidVerdict;
  /** Called after each new revocation of a found issuer. */
  readonly onRevocation: () => void;
}

/**
 * The issuers that a guard learns of from tokens: those of patterns with `"any"`, and those that `issuerFor` names. Each
 * is opened once, when its first token arrives. The number of issuers, look-ups and refusals in memory is bounded. Issuers
 * that no token has proved have a separate share, so made-up names push out no known issuer.
 */
export class FoundIssuers {
  /** The decisions about the tokens of all found issuers, whose number has no limit over time. */
  readonly decisionCounts: DecisionCounts = new DecisionCounts();
  readonly #settings: GuardSettings;
  readonly #parts: FoundIssuersParts;
  readonly #unprovenHosts: HostLimits;
  /** The least recently used issuer comes first. */
  readonly #proven = new Map<string, OpenIssuer>();
  /** The issuer that was opened first comes first. */
  readonly #unproven = new Map<string, OpenIssuer>();
  /** The views of closed issuers that have revocations. The issuer that was closed first comes first. */
  readonly #closedViews = new Map<string, RevocationView>();
  readonly #absent: TtlCache<true>;
  readonly #lookups = new SingleFlight<string, FoundIssuer>();
  readonly #closing = new AbortController();
  #lastError: string | null = null;
  #lastFailureEvent: Instant | null = null;

  constructor(settings: GuardSettings, parts: FoundIssuersParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#unprovenHosts = new HostLimits(settings.clock, UNPROVEN_PER_HOST);
    this.#absent = new TtlCache({ maxBytes: MAX_ABSENT, clock: settings.clock });
  }

  /** Finds the issuer of a token. Callers with the same `iss` share one look-up. The promise never rejects. */
  find(iss: string): FoundIssuer | Promise<FoundIssuer> {
    const open = this.get(iss);
    if (open !== undefined) {
      const asked = this.#keepTrusted(open);
      return asked ?? open.guarded;
    }
    const joined = this.#lookups.inFlight(iss);
    if (joined !== undefined) return joined;
    const { clock, families, issuerFor } = this.#settings;
    if (iss.length > MAX_ISSUER_LENGTH || this.#absent.get(iss) === true) return this.#parts.refuse(iss);
    const family = families.find(({ pattern }) => pattern.includes(iss));
    if (family === undefined && issuerFor === undefined) return this.#parts.refuse(iss);
    if (!this.#hasPlace(readClock(clock))) return unavailableVerdict("overloaded");
    return this.#lookups.run(iss, async () => await this.#lookUp(iss, null, family));
  }

  /** The issuer of this name that is open. */
  get(iss: string): OpenIssuer | undefined {
    return this.#proven.get(iss) ?? this.#unproven.get(iss);
  }

  *all(): Generator<GuardedIssuer> {
    for (const open of [this.#proven, this.#unproven]) for (const { guarded } of open.values()) yield guarded;
  }

  status(): FoundIssuersStatus {
    return { proven: this.#proven.size, unproven: this.#unproven.size, lastError: this.#lastError };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.all()].map(async (guarded) => await closeGuardedIssuer(guarded)));
  }

  /** Marks an issuer as used, and asks again about an old answer. A promise when the answer is too old to count. */
  #keepTrusted(open: OpenIssuer): Promise<FoundIssuer> | null {
    const { clock } = this.#settings;
    const { name, answeredAt, failedAt, isProven } = open;
    if (isProven) {
      this.#proven.delete(name);
      this.#proven.set(name, open);
    }
    if (answeredAt === null) return null;
    const ageMs = elapsedMs(clock, answeredAt);
    const isPaused = failedAt !== null && elapsedMs(clock, failedAt) < ASK_RETRY_MS;
    if (ageMs < ANSWER_FRESH_MS || (isPaused && ageMs < ANSWER_STALE_MS)) return null;
    const asked = this.#lookups.run(name, async () => await this.#lookUp(name, open));
    return ageMs < ANSWER_STALE_MS ? null : asked;
  }

  /** Opens an issuer of `family`, or asks `issuerFor`. `open` is what an earlier answer opened. Never rejects. */
  async #lookUp(iss: string, open: OpenIssuer | null, family?: IssuerFamily): Promise<FoundIssuer> {
    const { clock } = this.#settings;
    try {
      if (family !== undefined) {
        const found = await this.#open(iss, nameIssuer(family.settings, iss), null);
        this.#lastError = null;
        return found;
      }
      const settings = await this.#ask(iss);
      this.#lastError = null;
      if (open !== null && this.get(iss) !== open) return unavailableVerdict("issuer_unavailable");
      if (settings === null) {
        this.#absent.set(iss, true, { ttlMs: ABSENT_MS, bytes: 1 });
        if (open !== null) this.#retire(open, "issuerFor no longer names the issuer");
        return this.#parts.refuse(iss);
      }
      if (open === null) return await this.#open(iss, settings, readClock(clock));
      if (isSameIssuer(settings, open.settings)) {
        open.answeredAt = readClock(clock);
        open.failedAt = null;
        return open.guarded;
      }
      this.#retire(open, "issuerFor names other options for the issuer");
      return await this.#open(iss, settings, readClock(clock));
    } catch (error) {
      if (this.#closing.signal.aborted) return unavailableVerdict("closed");
      this.#lastError = describeError(error);
      this.#reportFailure(iss, family === undefined ? `issuerFor: ${this.#lastError}` : this.#lastError);
      if (open !== null) open.failedAt = readClock(clock);
      return unavailableVerdict("issuer_unavailable");
    }
  }

  /** The checked answer of `issuerFor`. Rejects with its error, with `timeout` and with `invalid_option`. */
  async #ask(iss: string): Promise<IssuerSettings | null> {
    const { clock, issuerFor, checkFound } = this.#settings;
    const ask = async (signal: AbortSignal) => (await issuerFor?.(iss, { signal })) ?? null;
    const answer = await withDeadline(clock, "issuerFor", ASK_TIMEOUT_MS, ask, this.#closing.signal);
    if (answer === null) return null;
    const settings = readIssuer("issuerFor", answer);
    if (settings.claimsPolicy.issuer !== iss) {
      throw new HoldfastError("invalid_option", "issuerFor must name the issuer that it was asked for");
    }
    checkFound(settings);
    return settings;
  }

  async #open(name: string, settings: IssuerSettings, answeredAt: Instant | null): Promise<FoundIssuer> {
    const { clock } = this.#settings;
    const openedAt = readClock(clock);
    const giveUp = () => this.#giveUp(open);
    const probation = probationOf(clock, () => open, giveUp);
    const guarded = openGuardedIssuer(this.#settings, settings, {
      ...this.#parts,
      hosts:
        answeredAt === null
          ? new UnprovenHosts(probation, this.#parts.hosts, this.#unprovenHosts)
          : this.#parts.hosts,
      isMuted: () => !open.isProven,
      view: this.#closedViews.get(name),
      decisionCounts: this.decisionCounts,
      onVerified: () => this.#prove(open),
    });
    const state = { isProven: false, answeredAt, failedAt: null };
    const open: OpenIssuer = { name, settings, guarded, openedAt, ...state };
    guarded.revocationView.subscribe(this.#parts.onRevocation);
    // Law 3: no token may find the issuer before the revocations of earlier runs are loaded. It joins the look-up instead.
    await guarded.revocationSnapshot?.restore();
    startGuardedIssuer(guarded);
    // Without it, the token that found the issuer would be 503, because nobody has read its revocations.
    await guarded.revocationFollower?.firstRead();
    if (this.#closing.signal.aborted) {
      await closeGuardedIssuer(guarded);
      return unavailableVerdict("closed");
    }
    this.#closedViews.delete(name);
    this.#unproven.set(name, open);
    return guarded;
  }

  /** A key of the issuer verified a token, so the issuer is real. */
  #prove(open: OpenIssuer): void {
    if (open.isProven || this.#unproven.get(open.name) !== open) return;
    open.isProven = true;
    this.#unproven.delete(open.name);
    this.#proven.set(open.name, open);
    if (this.#proven.size <= this.#settings.maxIssuers) return;
    const unused = this.#findUnused();
    if (unused !== undefined) this.#retire(unused, "it was the least recently used of maxIssuers");
  }

  /** The least recently used issuer. Law 3: an issuer with revocations stays, because they would be lost. */
  #findUnused(): OpenIssuer | undefined {
    return [...this.#proven.values()].find(({ guarded }) => guarded.revocationView.size === 0);
  }

  /** Whether one more issuer may be opened, after others made room. */
  #hasPlace(now: Instant): boolean {
    if (this.#unproven.size + this.#lookups.size >= MAX_UNPROVEN) {
      const ended = [...this.#unproven.values()].find((open) => mayGiveUp(open, now));
      if (ended === undefined) return false;
      this.#giveUp(ended);
    }
    return this.#proven.size < this.#settings.maxIssuers || this.#findUnused() !== undefined;
  }

  #giveUp(open: OpenIssuer): void {
    this.#reportFailure(open.name, open.guarded.keyring.status().lastError ?? "no token was verified");
    this.#close(open);
  }

  #retire(open: OpenIssuer, why: string): void {
    this.#close(open);
    if (open.isProven) emit(open.guarded.source, "issuer_retired", why);
  }

  #close(open: OpenIssuer): void {
    this.#proven.delete(open.name);
    this.#unproven.delete(open.name);
    this.#keepView(open);
    void closeGuardedIssuer(open.guarded);
  }

  /** Law 3: what was revoked stays revoked if the issuer comes back, under other options too. */
  #keepView({ name, guarded: { revocationView } }: OpenIssuer): void {
    if (revocationView.size === 0) return;
    this.#closedViews.set(name, revocationView);
    const [oldest] = this.#closedViews.keys();
    if (oldest !== undefined && this.#closedViews.size > this.#settings.maxIssuers)
      this.#closedViews.delete(oldest);
  }

  #reportFailure(iss: string, why: string): void {
    const { clock, name: guard } = this.#settings;
    if (this.#lastFailureEvent !== null && elapsedMs(clock, this.#lastFailureEvent) < FAILURE_EVENT_MS)
      return;
    this.#lastFailureEvent = readClock(clock);
    const shown = JSON.stringify(iss.slice(0, 200));
    emit({ guard, issuer: null }, "issuer_failed", `${shown} cannot be used: ${why}`);
  }
}
