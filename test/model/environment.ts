import type { Scheduler } from "fast-check";
import type { Clock } from "../../src/core/clock.ts";
import type { Issuer, RefreshOutcome, TokenResponse } from "../../src/issuer/types.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { validateAtIssuer } from "../issuer/fixture.ts";
import { Accounts } from "./accounts.ts";
import { Instance, LAST_LEVEL, type InstanceContext } from "./instance.ts";
import type { Fault } from "./store-faults.ts";
import type { Model, ModelSession } from "./model.ts";
import { requestContext, Recording, type RequestContext } from "./recording.ts";
import { Observer } from "./observer.ts";

/** An honest client. It presents the tokens it holds, and keeps the tokens of each answer that arrives. */
interface Client {
  readonly session: string;
  tokens: TokenResponse;
  /** Whether the client was told that its session has ended. */
  loggedOut: boolean;
}

/** How the network transmits a request. */
interface Transmission {
  readonly copies: number;
  readonly lost: "request" | "answer" | null;
  /** Whether the client acknowledges the new refresh token once it has stored it. */
  readonly acknowledges: boolean;
}

/** Options of the environment. */
export interface EnvironmentOptions {
  readonly scheduler: Scheduler;
  /** Uses the issuer's own user table with real password hashes, instead of an application's users. */
  readonly builtInUsers?: boolean;
  readonly fault?: Fault;
}

const INSTANCES = 3;
/** Longer than the deadline of any pending request. */
const DRAIN_MS = 30_000;

/** Issuers on one store, honest clients, a thief, the network between them, and the clock of each process. */
export class Environment {
  readonly model: Model;
  readonly instances: readonly Instance[];
  readonly #base = new FakeClock();
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #observer: Observer;
  readonly #context: InstanceContext;
  readonly #clients: Client[] = [];
  readonly #pendingRequests = new Set<Promise<void>>();
  readonly #errors: unknown[] = [];
  readonly #accounts: Accounts;
  #storeOffsetMs = 0;
  #pausing = false;

  constructor({ scheduler, builtInUsers = false, fault = {} }: EnvironmentOptions) {
    this.#scheduler = scheduler;
    const clock = this.#clock(() => this.#storeOffsetMs);
    const pause = async (what: string) => {
      if (this.#pausing) await scheduler.schedule(Promise.resolve(), what);
    };
    this.#store = fault.store?.({ clock, pause }) ?? memoryStore({ clock });
    const recording = new Recording(this.#store, clock);
    this.#accounts = new Accounts(builtInUsers, pause);
    this.model = recording.model;
    this.#observer = new Observer(this.#store, recording);
    this.#context = {
      store: recording.store,
      clock: (offset) => this.#clock(offset),
      pause,
      authenticate: this.#accounts.authenticate,
      applyIssuerFault: (issuer) => fault.issuer?.(issuer) ?? issuer,
    };
    this.instances = Array.from({ length: INSTANCES }, () => new Instance(this.#context));
  }

  /** Adds the users and logs in once, before any fault. */
  async start(): Promise<void> {
    for (const { issuer } of this.instances) await issuer.ready();
    await this.#accounts.addUsers(this.#instance(0).issuer);
    await this.#logIn("ann", this.#instance(0));
    this.#pausing = true;
  }

  logIn(user: string, at: number): void {
    this.#send(async () => await this.#logIn(user, this.#instance(at)));
  }

  async #logIn(username: string, on: Instance): Promise<void> {
    const credentials = this.#accounts.credentials(username);
    const version = this.#accounts.version(username);
    const outcome = await requestContext.run({ password: version }, async () => {
      return await on.call(async (issuer) => await issuer.login(credentials));
    });
    if (outcome === "died" || outcome.status !== "ok") return;
    this.#observer.issued.add(outcome.tokens, null);
    this.#clients.push({ session: outcome.tokens.session_id, tokens: outcome.tokens, loggedOut: false });
  }

  /** A client refreshes with the token it holds. Copies of its request reach the instances in turn. */
  refresh(pick: number, at: readonly number[], { copies, lost, acknowledges }: Transmission): void {
    const client = this.#clients[pick % this.#clients.length];
    if (client === undefined || client.loggedOut) return;
    const { refresh_token: token } = client.tokens;
    for (let copy = 0; copy < copies; copy++) {
      this.#send(async () => {
        if (lost === "request") return;
        const instance = this.#instance(at[copy % at.length] ?? 0);
        const outcome = await this.#present("client", token, instance);
        await this.#context.pause("the answer travels");
        // The client ignores an answer for a token that it no longer holds.
        if (lost === "answer" || client.tokens.refresh_token !== token) return;
        if (outcome?.status === "invalid_grant") client.loggedOut = true;
        if (outcome?.status !== "ok") return;
        client.tokens = outcome.tokens;
        if (!acknowledges) return;
        await this.#context.pause("the acknowledgement travels");
        await instance.call(async (issuer) => await issuer.acknowledge(outcome.tokens.refresh_token));
      });
    }
  }

  /** A client acknowledges the refresh token it holds. */
  acknowledge(pick: number, at: number): void {
    const client = this.#clients[pick % this.#clients.length];
    if (client === undefined) return;
    const { refresh_token: token } = client.tokens;
    this.#send(async () => {
      await this.#instance(at).call(async (issuer) => await issuer.acknowledge(token));
    });
  }

  /** A client uses the access token it holds at an endpoint of the issuer. */
  useAccessToken(pick: number, at: number): void {
    const client = this.#clients[pick % this.#clients.length];
    if (client === undefined) return;
    const { access_token: token } = client.tokens;
    this.#send(async () => {
      await this.#instance(at).call(async (issuer) => await validateAtIssuer(issuer, token));
    });
  }

  /** A thief presents a copy of any refresh token that was ever issued. */
  steal(session: number, back: number, at: number): void {
    const known = [...this.#observer.issued.refreshTokens.values()];
    const tokens = [...(known[session % known.length]?.values() ?? [])];
    const presented = tokens.at(-1 - (back % tokens.length)) ?? "";
    this.#send(async () => void (await this.#present("thief", presented, this.#instance(at))));
  }

  async #present(actor: "client" | "thief", presented: string, on: Instance): Promise<RefreshOutcome | null> {
    const context: RequestContext = {};
    const outcome = await requestContext.run(context, async () => {
      return await on.call(async (issuer) => await issuer.refresh(presented));
    });
    if (outcome === "died") return null;
    this.#observer.recordAnswer({ actor, presented, outcome, presentation: context.presentation });
    return outcome;
  }

  logOut(pick: number, at: number): void {
    const sessions = [...this.model.sessions.values()];
    const session = sessions[pick % sessions.length];
    if (session === undefined) return;
    this.#end(at, [session], async (issuer) => await issuer.endSession(session.id, "logout"));
  }

  changePassword(user: string, at: number): void {
    const subject = this.#accounts.subject(user);
    const sessions = [...this.model.sessions.values()].filter((session) => session.subject === subject);
    const change = this.#accounts.changePassword(user);
    const version = this.#accounts.version(user);
    this.#end(at, sessions, async (issuer) => {
      await change(issuer);
      this.#observer.recordPasswordChange(subject, version);
    });
  }

  /** Ends sessions. An acknowledged ending must have happened; a refused one may have happened. */
  #end(at: number, sessions: readonly ModelSession[], work: (issuer: Issuer) => Promise<void>): void {
    this.#send(async () => {
      const onRefused = (error: unknown) => {
        this.#observer.recordError(error);
        return "refused" as const;
      };
      if ((await this.#instance(at).call(work).catch(onRefused)) !== undefined) return;
      this.#observer.require(
        "acknowledgedIsDone",
        sessions.every(({ ending }) => ending !== null),
      );
    });
  }

  rotateKeys(at: number): void {
    this.#send(async () => {
      const rotated = this.#instance(at).call(async (issuer) => await issuer.keys.rotate());
      await rotated.catch((error: unknown) => this.#observer.recordError(error));
    });
  }

  prune(): void {
    this.#send(async () => await this.#context.store.prune());
  }

  async advance(ms: number): Promise<void> {
    await this.#base.advance(ms);
  }

  /** Sets the clock of an instance, or the store's clock when `instance` is `undefined`. */
  setClock(instance: Instance | undefined, offsetMs: number): void {
    this.#observer.clocksSet = true;
    if (instance === undefined) this.#storeOffsetMs = offsetMs;
    else instance.offsetMs = offsetMs;
  }

  /** An instance takes the next step of the secret rotation, unless another instance is a step behind. */
  async nextSecret(at: number): Promise<void> {
    const instance = this.#instance(at);
    if (instance.secretLevel > Math.min(...this.instances.map(({ secretLevel }) => secretLevel))) return;
    instance.secretLevel = Math.min(LAST_LEVEL, instance.secretLevel + 1);
    await instance.restart();
  }

  /** Throws a `Violation` when an invariant does not hold. */
  async inspect(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.#observer.inspect(this.#now());
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  /** Ends the faults and waits for pending requests. Then every client and the thief try the tokens they have. */
  async finish(): Promise<void> {
    this.#pausing = false;
    for (const instance of this.instances) instance.faults = [];
    for (let ms = 0; ms < DRAIN_MS && this.#pendingRequests.size > 0; ms += 1000) {
      await this.#scheduler.waitIdle();
      await this.#base.advance(1000);
    }
    await this.inspect();
    const healthy = new Instance(this.#context);
    healthy.offsetMs = this.#storeOffsetMs;
    healthy.secretLevel = Math.max(...this.instances.map(({ secretLevel }) => secretLevel));
    await healthy.restart();
    for (const client of this.#clients) {
      const session = this.model.sessions.get(client.session);
      if (session === undefined) continue;
      if (!this.model.isLive(session, this.#now())) await this.#tryEnded(session, healthy);
      else if (!client.loggedOut) await this.#tryLive(session, client.tokens.refresh_token, healthy);
    }
    await this.inspect();
    await healthy.crash();
  }

  async #tryLive(session: ModelSession, token: string, on: Instance): Promise<void> {
    const behind = session.currentGeneration - this.#observer.issued.generationOf(token);
    const canRepeat = session.canRepeat(this.#now());
    if (behind > (canRepeat ? 1 : 0)) return;
    const outcome = await this.#present("client", token, on);
    const isUsable =
      outcome?.status === "ok" && (await validateAtIssuer(on.issuer, outcome.tokens.access_token)).valid;
    this.#observer.require("usableAfterFaults", isUsable);
  }

  async #tryEnded(session: ModelSession, on: Instance): Promise<void> {
    const { issued } = this.#observer;
    for (const token of issued.refreshTokens.get(session.id)?.values() ?? []) {
      const outcome = await this.#present("thief", token, on);
      this.#observer.require("nothingRevives", outcome?.status === "invalid_grant");
    }
    // The last access token of an expired session may still be valid.
    if (session.ending === null) return;
    for (const token of issued.accessTokens.get(session.id) ?? []) {
      this.#observer.require("nothingRevives", !(await validateAtIssuer(on.issuer, token)).valid);
    }
  }

  async close(): Promise<void> {
    this.#observer.close();
    for (const instance of this.instances) await instance.crash();
    await this.#store.close();
  }

  #instance(at: number): Instance {
    return this.instances[at % INSTANCES] as Instance;
  }

  /** The store's time. */
  #now(): number {
    return this.#base.now() + this.#storeOffsetMs;
  }

  #clock(offsetMs: () => number): Clock {
    const base = this.#base;
    return {
      now: () => base.now() + offsetMs(),
      monotonic: () => base.monotonic(),
      after: (ms, fn) => base.after(ms, fn),
    };
  }

  #send(work: () => Promise<void>): void {
    const sent = (async () => {
      await this.#context.pause("the request travels");
      await work();
    })();
    const done = sent
      .catch((error: unknown) => void this.#errors.push(error))
      .finally(() => void this.#pendingRequests.delete(done));
    this.#pendingRequests.add(done);
  }
}
