import type { Issuer, RefreshOutcome, TokenResponse } from "../../src/issuer/types.ts";
import { validateAtIssuer } from "../issuer/fixture.ts";
import type { EventQueue } from "./event-queue.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
/** How long before its end a tab renews an access token. */
const RENEW_BEFORE_MS = 60 * SECOND;
const LOST = 0.05;
/** The longest time between a lost answer and the next request that is answered. It is shorter than `lostAnswerMs`. */
const MAX_AWAY_MS = 23 * HOUR;

/** How a client shows that it has the tokens of an answer. The next refresh is a sign in any case. */
export type Sign = "acknowledgement" | "access token" | "none";

export interface ClientContext {
  readonly issuer: Issuer;
  readonly queue: EventQueue;
  readonly now: () => number;
  readonly random: () => number;
  readonly conflictMs: number;
  /** Counts an event of the simulation. */
  readonly count: (what: "refreshes" | "lost" | "forcedLogins" | "stuck" | "conflicts") => void;
  /** Counts a sleep that began while an answer was under way. */
  readonly recordSleep: (ms: number) => void;
}

/** A spent refresh token, and since when its successor is known to have arrived. */
interface SpentToken {
  readonly token: string;
  readonly arrivedAt: number;
}

/** A browser with five tabs that share one token store and no lock. */
export class SimulatedClient {
  readonly session: string;
  /** Whether a thief has replayed a token of the session, so that its end is right. */
  isVictim = false;
  isLoggedOut = false;
  readonly spent: SpentToken[] = [];
  readonly #context: ClientContext;
  readonly #sign: Sign;
  /** The token store of the browser. */
  #stored: TokenResponse;
  #expiresAt: number;
  #asleepUntil = 0;
  /** When the first answer was lost that no later answer has made up for. `null` when none was. */
  #lostSince: number | null = null;

  constructor(context: ClientContext, sign: Sign, first: TokenResponse) {
    this.#context = context;
    this.#sign = sign;
    this.#stored = first;
    this.session = first.session_id;
    this.#expiresAt = context.now() + first.expires_in * SECOND;
    for (let tab = 0; tab < 5; tab++) this.#wakeLater();
  }

  #wakeLater(): void {
    const { now, random, queue } = this.#context;
    // The timer of a hidden tab is late.
    const lateMs = random() < 0.1 ? random() * 45 * SECOND : random() * 3 * SECOND;
    queue.after(Math.max(0, this.#expiresAt - RENEW_BEFORE_MS - now()) + lateMs, () => this.#wake());
  }

  #wake(): void {
    const { now, random, queue } = this.#context;
    if (this.isLoggedOut) return;
    if (now() < this.#asleepUntil) {
      queue.after(this.#asleepUntil - now() + random() * SECOND, () => this.#wake());
      return;
    }
    // A tab reads the token store before it refreshes, because another tab may have done so.
    if (this.#expiresAt - now() > RENEW_BEFORE_MS) return this.#wakeLater();
    this.#send(this.#stored.refresh_token);
  }

  #send(token: string): void {
    const { random, queue, issuer, count } = this.#context;
    const lost = random() < LOST ? (random() < 0.5 ? "request" : "answer") : null;
    const latencyMs = 20 + random() * 280;
    if (lost !== null) {
      count("lost");
      this.#retry();
    }
    if (lost === "request") return;
    queue.after(latencyMs / 2, async () => {
      count("refreshes");
      const outcome = await issuer.refresh(token);
      if (lost === null) queue.after(latencyMs / 2, () => this.#receive(token, outcome));
      else if (outcome.status === "ok") this.#lostSince ??= this.#context.now();
    });
  }

  /** Wakes the tab after a request without an answer. Sometimes the machine sleeps in between. */
  #retry(): void {
    const { now, random, queue, recordSleep } = this.#context;
    const pauses = [SECOND, 8 * SECOND, 45 * SECOND];
    queue.after(pauses[Math.floor(random() * pauses.length)] ?? SECOND, () => this.#wake());
    const awayMs = now() - (this.#lostSince ?? now());
    if (random() > 0.3 || this.#asleepUntil > now()) return;
    const sleepMs = random() ** 2 * (MAX_AWAY_MS - awayMs);
    this.#asleepUntil = now() + Math.max(0, sleepMs);
    recordSleep(sleepMs);
  }

  #receive(token: string, outcome: RefreshOutcome): void {
    const { queue, count, random } = this.#context;
    if (this.isLoggedOut) return;
    if (outcome.status === "ok") {
      this.#store(token, outcome.tokens);
      return this.#wakeLater();
    }
    if (outcome.status === "refresh_conflict") {
      count("conflicts");
      // The token store must have newer tokens, or the client could never refresh again.
      if (this.#stored.refresh_token === token) count("stuck");
      return this.#wakeLater();
    }
    if (outcome.status === "unavailable") {
      queue.after(SECOND * (1 + random()), () => this.#wake());
      return;
    }
    this.isLoggedOut = true;
    if (!this.isVictim) count("forcedLogins");
  }

  /** Stores the tokens durably, and only then gives the sign. */
  #store(presented: string, tokens: TokenResponse): void {
    const { now, queue, random } = this.#context;
    const isSame = this.#stored.refresh_token === tokens.refresh_token;
    if (this.#stored.refresh_token !== presented && !isSame) return;
    this.#stored = tokens;
    this.#expiresAt = now() + tokens.expires_in * SECOND;
    this.#lostSince = null;
    if (isSame || random() < LOST) return;
    queue.after(20 + random() * 80, async () => await this.#giveSign(presented, tokens));
  }

  async #giveSign(presented: string, tokens: TokenResponse): Promise<void> {
    const { issuer, now } = this.#context;
    if (this.#sign === "acknowledgement") {
      const { status } = await issuer.acknowledge(tokens.refresh_token);
      if (status === "ok") this.spent.push({ token: presented, arrivedAt: now() });
    }
    if (this.#sign === "access token") await validateAtIssuer(issuer, tokens.access_token);
  }

  /** Returns a spent token whose replay is proven reuse by now. `undefined` when there is none. */
  stealSpent(): string | undefined {
    const { now, random, conflictMs } = this.#context;
    const proven = this.spent.filter(({ arrivedAt }) => now() - arrivedAt > conflictMs);
    return proven[Math.floor(random() ** 4 * -proven.length) + proven.length]?.token ?? proven.at(-1)?.token;
  }
}
