import { connectionEvents, type ConnectionEvent } from "../../core/events.ts";
import type { Decision, JwtClaims } from "../../core/verdict.ts";
import { unavailable } from "../finding.ts";
import type { Admission, Call, Guard, Rules } from "../types.ts";
import type { CloseError } from "./close-codes.ts";
import type { LiveConnection } from "./connection.ts";
import type { ConnectionsSettings } from "./settings.ts";
import type { Connection, ConnectionsStatus, Limited, Refusal } from "./types.ts";

type Auth<C> = NonNullable<Connection<C>["auth"]>;

/** Somebody who has to refresh first is back within this time. */
const SOON_MS = 1_000;

/** All live connections, and whether there is room for another. */
export class House<C> {
  readonly settings: ConnectionsSettings;
  readonly members: Set<LiveConnection<C>> = new Set();
  readonly #guard: Guard<C>;
  /** Connections by issuer and subject. */
  readonly #subjects = new Map<string, number>();
  readonly #closed: Record<number, number> = {};
  #open = 0;
  #handshakes = 0;
  #refreshed = 0;
  #limited = 0;
  /** Set when nobody is let in any more. */
  isLeaving = false;

  constructor(guard: Guard<C>, settings: ConnectionsSettings) {
    this.#guard = guard;
    this.settings = settings;
  }

  get pending(): number {
    return this.#handshakes + this.members.size - this.#open;
  }

  /** Whether one more may come; when not, somebody is told so. */
  hasRoom(): boolean {
    const { max, maxPending } = this.settings;
    const hasRoom = this.members.size + this.#handshakes < max && this.pending < maxPending;
    if (!hasRoom) this.#limit();
    return hasRoom;
  }

  async admit(token: string, rules: (Rules & Call) | undefined): Promise<Admission<C> | Refusal<C>> {
    if (this.isLeaving) return unavailable("closed", this.hintMs("try_later", 0) ?? undefined);
    if (!this.hasRoom()) return this.#full();
    this.#handshakes++;
    try {
      const outcome = await this.#guard.admit(token, rules);
      if (outcome.status !== "admitted") return outcome;
      const decision = outcome.current();
      if (decision.status !== "valid") return decision;
      if (!this.#isCrowded(decision)) return outcome;
      this.#limit();
      return this.#full();
    } finally {
      this.#handshakes--;
    }
  }

  /** The same for a connection that is there. Never rejects. */
  async check(token: string, rules: Rules): Promise<Admission<C> | Refusal<C>> {
    try {
      return await this.#guard.admit(token, rules);
    } catch {
      return unavailable("closed");
    }
  }

  /** Never rejects. */
  async recheck(admission: Admission<C>): Promise<Decision<C>> {
    try {
      return await admission.recheck();
    } catch {
      return unavailable("closed");
    }
  }

  /** Counts a connection as open. False when its subject has too many. */
  enter(auth: Auth<C>): boolean {
    if (this.#isCrowded(auth)) {
      this.#limit();
      return false;
    }
    const key = keyOf(auth);
    this.#subjects.set(key, (this.#subjects.get(key) ?? 0) + 1);
    this.#open++;
    this.#tell("opened", auth);
    return true;
  }

  /** `code`: of the closing; `null` when the peer went. */
  leave(connection: LiveConnection<C>, auth: Auth<C> | null, code: number | null): void {
    this.members.delete(connection);
    if (code !== null) this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    if (auth !== null) {
      this.#open--;
      const key = keyOf(auth);
      const others = (this.#subjects.get(key) ?? 1) - 1;
      if (others > 0) this.#subjects.set(key, others);
      else this.#subjects.delete(key);
    }
    this.#tell("closed", auth, code);
  }

  refreshed(auth: Auth<C>): void {
    this.#refreshed++;
    this.#tell("refreshed", auth);
  }

  /** Whether both are of one subject. */
  isSame(one: Auth<C> | null, other: Auth<C>): boolean {
    return one !== null && keyOf(one) === keyOf(other);
  }

  /** When to come back; everybody at another time. `null` for those who need not. */
  hintMs(error: CloseError, atLeastMs: number): number | null {
    const { random, spreadMs } = this.settings;
    if (error === "token_expired" || error === "token_missing") return random() * Math.min(SOON_MS, spreadMs);
    return error === "too_many" || error === "try_later" ? atLeastMs + random() * spreadMs : null;
  }

  status(): ConnectionsStatus {
    let degraded = 0;
    for (const { auth } of this.members) if (auth !== null && auth.degraded !== null) degraded++;
    return {
      open: this.#open,
      pending: this.pending,
      degraded,
      subjects: this.#subjects.size,
      refreshed: this.#refreshed,
      limited: this.#limited,
      closed: { ...this.#closed },
    };
  }

  #isCrowded(auth: Auth<C>): boolean {
    // A policy can waive the subject: then there is none that could have too many.
    const there = this.#subjects.get(keyOf(auth)) ?? 0;
    return auth.subject !== "" && there >= this.settings.maxPerSubject;
  }

  #limit(): void {
    this.#limited++;
    this.#tell("limited", null);
  }

  #full(): Limited {
    return { status: "limited", retryAfterMs: this.hintMs("too_many", SOON_MS) ?? SOON_MS };
  }

  #tell(event: ConnectionEvent["event"], auth: Auth<C> | null, code: number | null = null): void {
    if (!connectionEvents.hasSubscribers) return;
    const degraded = auth !== null && auth.degraded !== null;
    connectionEvents.publish({ guard: this.#guard.name, event, code, degraded });
  }
}

/** Subjects of two issuers are two. */
function keyOf<C>({ claims, subject }: Auth<C>): string {
  return `${(claims as JwtClaims).iss ?? ""}\n${subject}`;
}
