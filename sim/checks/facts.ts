import { faultsOf, faultTimes, type ClockStep, type FaultTime } from "./fault-times.ts";
import { Losses } from "./losses.ts";
import { operationsOf, type RecordedOperation, type RunHistory } from "./run-history.ts";

/** An access token that a client got. */
export interface IssuedToken {
  readonly session: string;
  readonly user: string;
  /** `exp`, epoch milliseconds. */
  readonly expiresAt: number;
  /** When the client got it first, in true time. */
  readonly receivedAt: number;
}

/** The end of a session or of all sessions of a user: from `began` on it may hold, from `ended` on it holds. */
export interface End {
  readonly operation: RecordedOperation;
  readonly began: number;
  /** `Infinity` when nobody confirmed it. */
  readonly ended: number;
  readonly by: string;
}

/** A guard knows the clock of a service from a response that is at most this old, while its key set can be fetched. */
const READ_BEFORE_MS = 300_000;

/** What a history says about tokens and sessions, whatever the services believed. */
export class Facts {
  readonly operations: readonly RecordedOperation[];
  readonly tokens: ReadonlyMap<string, IssuedToken>;
  readonly forged: ReadonlySet<string>;
  readonly clockSteps: readonly ClockStep[];
  /** The times for which machines were suspended. The `ms` of each is its length. */
  readonly suspends: readonly ClockStep[];
  /** The times for which processes stood still. The `ms` of each is its length. */
  readonly stops: readonly ClockStep[];
  readonly losses: Losses;
  readonly faults: readonly FaultTime[];
  readonly #services: readonly string[];
  readonly #guardsOfSockets: ReadonlyMap<unknown, unknown>;
  /** Whether a request may arrive twice. The second change of a password ends the session of the first one. */
  readonly hasDuplicates: boolean;
  /**
   * Whether each record of a session says when its token arrived. A record of the version before does not, so a thief is
   * refused and the session goes on.
   */
  readonly #knowsArrivals: boolean;
  readonly #ends = new Map<string, End[]>();
  readonly #endsOfUsers = new Map<string, End[]>();
  /** Guard and life → the times of its decisions, in order. */
  readonly #decisions = new Map<string, number[]>();
  /** Session → when the answer to its login came. */
  readonly #logins = new Map<string, RecordedOperation>();
  /** Presented refresh token → the first refresh with it. */
  readonly #refreshes = new Map<unknown, RecordedOperation>();

  constructor({ history, plan }: Pick<RunHistory, "history" | "plan">) {
    this.operations = operationsOf(history);
    this.#knowsArrivals = plan.upgrades.length === 0;
    this.faults = faultTimes(history);
    this.losses = new Losses({ history, plan }, this.faults);
    const replaced = new Set(
      this.operations
        .filter(({ operation, answer }) => operation === "change password" && answer?.["status"] === 200)
        .map(({ call }) => call["from"]),
    );
    const tokens = new Map<string, IssuedToken>();
    for (const operation of this.operations) {
      const { answer, call, ended } = operation;
      if (answer !== null && typeof answer["access"] === "string" && !tokens.has(answer["access"])) {
        tokens.set(answer["access"], {
          session: answer["session"] as string,
          user: call["user"] as string,
          expiresAt: answer["expiresAt"] as number,
          receivedAt: ended,
        });
      }
      // Of two changes of one password, the one that is not confirmed has changed nothing.
      const isLoser = replaced.has(call["from"]) && answer?.["status"] !== 200;
      if (operation.operation !== "change password" || !isLoser) this.#addEnd(operation);
      if (decisions.has(operation.operation) && answer !== null) {
        const place = `${String(call["guard"])} ${String(call["life"])}`;
        add(this.#decisions, place, ended);
      }
      if (operation.operation === "refresh" && !this.#refreshes.has(call["presented"]))
        this.#refreshes.set(call["presented"], operation);
      if (logins.has(operation.operation) && answer?.["status"] === 200) {
        this.#logins.set(answer["session"] as string, operation);
      }
    }
    for (const times of this.#decisions.values()) times.sort((one, other) => one - other);
    this.tokens = tokens;
    this.clockSteps = faultsOf(history, "clock step", "ms");
    this.suspends = faultsOf(history, "suspend", "durationMs");
    this.stops = [...faultsOf(history, "freeze", "durationMs"), ...this.suspends];
    this.#services = plan.services;
    const ofSockets = history.filter(({ data }) => "socket" in data && "guard" in data);
    this.#guardsOfSockets = new Map(ofSockets.map(({ data }) => [data["socket"], data["guard"]]));
    this.hasDuplicates =
      plan.network.duplicate > 0 || this.faults.some(({ fault }) => fault === "lossy network");
    this.forged = new Set(
      history.filter(({ kind }) => kind === "forged").map(({ data }) => data["token"] as string),
    );
  }

  /** The ends that concern a session. */
  endsOf(session: string, user: string): readonly End[] {
    const login = this.#logins.get(session);
    const began = login?.began ?? 0;
    // The end of a user spares the sessions that begin later, and a new password the session that begins with it.
    const ofUser = (this.#endsOfUsers.get(user) ?? []).filter(
      (end) => end.ended > began && (end.operation !== login || this.hasDuplicates),
    );
    return [...(this.#ends.get(session) ?? []), ...ofUser];
  }

  /** The ends of all sessions of a user, whichever session they concern. */
  endsOfUser(user: string): readonly End[] {
    return this.#endsOfUsers.get(user) ?? [];
  }

  /**
   * The time from which the session is certainly over, as the revocation log or the session itself tells. `Infinity` when
   * it may still live. `at` is the time at which that is asked: a loss before it undoes an end until that is written again.
   */
  endedAt(session: string, user: string, at: number, toldBy: "log" | "session"): number {
    const login = this.#logins.get(session);
    const answered = login?.ended ?? 0;
    const password = login?.call["password"] ?? login?.call["to"];
    const certain = this.endsOf(session, user)
      .filter(
        ({ began, by, operation }) =>
          !endsOfUser.has(by) ||
          began > answered ||
          // The session is of a login with the password that was replaced, even if both went on at the same time.
          (by === "change password" && operation.call["from"] === password) ||
          (by === "set password" && this.#isAfter(operation, login)),
      )
      .filter(({ by, operation }) => by !== "refresh" || !this.#mayBeOfLostBranch(operation, session));
    const keys = toldBy === "log" ? ["{store}"] : [`{session:${session}}`, "{subject:", "{users}"];
    const times = certain.map(({ operation, ended }) => {
      if (!Number.isFinite(ended)) return ended;
      // The end of a user finds the sessions in the list of the user.
      const isListed = login === undefined || this.losses.find(login, ["{subject:"], at) === null;
      if (endsOfUser.has(operation.operation) && !isListed && toldBy === "session") return Infinity;
      // A reader notices that the log was deleted.
      const loss = this.losses.find(operation, keys, at, toldBy === "log" ? "kept" : "deleted");
      return loss === null ? ended : loss.restoredAt;
    });
    return Math.min(Infinity, ...times);
  }

  /**
   * Whether an administrator set a password certainly after the change of a password that began a session. Otherwise the
   * change would have found another password than that which it replaced.
   */
  #isAfter({ call }: RecordedOperation, login: RecordedOperation | undefined): boolean {
    return (
      login?.operation === "change password" &&
      call["to"] !== login.call["from"] &&
      !this.hasDuplicates &&
      this.losses.isEmpty
    );
  }

  /**
   * Whether a presented token proves no theft: it was issued before the store went back, or by the first refresh after
   * that. Tokens of the branch that was lost have the same generations (docs/clients/refresh.md).
   */
  #mayBeOfLostBranch({ call, began }: RecordedOperation, session: string): boolean {
    if (this.losses.isEmpty) return false;
    const granted = this.operations.filter(
      ({ operation, call: { session: of }, answer }) =>
        of === session && operation === "refresh" && answer?.["status"] === 200,
    );
    const issue = granted.find(({ answer }) => answer?.["refresh"] === call["presented"]);
    return granted.some((one) => {
      const loss = this.losses.findOfSession(one, session, began);
      if (loss === null) return false;
      const first = granted.find((other) => other.began >= loss.since);
      return issue === undefined || first === undefined || issue.began <= first.began;
    });
  }

  /** The times at which the guard decided on a token in the life of this call, in order. */
  decisionTimes(call: Readonly<Record<string, unknown>>): readonly number[] {
    return this.#decisions.get(`${String(call["guard"])} ${String(call["life"])}`) ?? [];
  }

  /**
   * Whether the clock of a service was behind for some time until `at`. A guard in another process may have read it after
   * `since`, or a little before, and then believes that its own clock was set back rightly.
   */
  isIssuerBehind(guard: unknown, since: number, at: number): boolean {
    return this.clockSteps.some(
      ({ process, ms, began, ended }) =>
        this.#services.includes(process) &&
        !this.#services.includes(String(guard)) &&
        ms < 0 &&
        began <= at &&
        since - READ_BEFORE_MS < ended,
    );
  }

  /** The time before which nothing could end the session. */
  mayEndAt(session: string, user: string): number {
    return Math.min(Infinity, ...this.endsOf(session, user).map(({ began }) => began));
  }

  /** The faults that held at a time, or ended at most `ms` before it. */
  faultsBefore(at: number, ms: number): readonly FaultTime[] {
    return this.faults.filter(({ began, ended }) => began <= at && at < ended + ms);
  }

  /** The guard that serves a connection. `undefined` when no server has recorded anything about it. */
  guardOfSocket(socket: unknown): unknown {
    return this.#guardsOfSockets.get(socket);
  }

  /** The first refresh with a token, which tells its session and its user. */
  refreshWith(presented: unknown): RecordedOperation | undefined {
    return this.#refreshes.get(presented);
  }

  loginOf(session: string): RecordedOperation | undefined {
    return this.#logins.get(session);
  }

  /** Whether the store had lost the login of a session at a time. The session is unavailable then (fault 64). */
  isLostSession(session: string, at: number): boolean {
    const login = this.#logins.get(session);
    return login !== undefined && this.losses.findOfSession(login, session, at) !== null;
  }

  /** Whether the store had lost a user at a time, who is unavailable then (fault 64). */
  isLostUser(user: unknown, at: number): boolean {
    if (this.losses.isEmpty) return false;
    return this.operations.some(
      (added) =>
        added.operation === "add user" &&
        added.call["user"] === user &&
        this.losses.find(added, ["{users}"], at) !== null,
    );
  }

  #addEnd(recorded: RecordedOperation): void {
    const { operation, call, answer, began, ended } = recorded;
    const status = answer?.["status"];
    const isTheft = operation === "refresh" && call["by"] === "thief";
    const end = (isCertain: boolean) => ({
      operation: recorded,
      began,
      ended: isCertain ? ended : Infinity,
      by: operation,
    });
    if (operation === "logout" || operation === "end session" || isTheft) {
      const session = call["session"] as string;
      // A spent token proves no theft when the store has gone back since, because both branches of the session were real.
      const isProof = this.#knowsArrivals && !this.losses.hasTouched(session, began);
      add(this.#ends, session, end(isTheft ? status === 400 && isProof : status === 204));
    } else if (endsOfUser.has(operation)) {
      add(this.#endsOfUsers, call["user"] as string, end(status === 204 || status === 200));
    }
  }
}

/** Operations in which a guard decides on a token. Each of them compares the clocks. */
const decisions: ReadonlySet<string> = new Set(["verdict", "message", "close"]);

/** Operations that begin a session. */
const logins: ReadonlySet<string> = new Set(["login", "password login", "change password"]);

/** Operations that end all sessions of a user. */
const endsOfUser: ReadonlySet<string> = new Set([
  "end subject",
  "change password",
  "set password",
  "disable user",
]);

function add<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key) ?? [];
  values.push(value);
  map.set(key, values);
}
