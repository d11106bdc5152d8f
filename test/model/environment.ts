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

/** An honest client: it presents what it holds, and holds what arrived for that. */
interface Client {
  readonly session: string;
  tokens: TokenResponse;
  /** It was told that its session is over. */
  loggedOut: boolean;
}

/** What the network does to a request. */
interface Transmission {
  readonly copies: number;
  readonly lost: "request" | "answer" | null;
}

export interface EnvironmentOptions {
  readonly scheduler: Scheduler;
  /** The issuer's own users, Argon2id and all, instead of an application's. */
  readonly builtInUsers?: boolean;
  readonly fault?: Fault;
}

const INSTANCES = 3;
/** More than the deadlines of whatever may still be waiting. */
const DRAIN_MS = 30_000;

/** Issuers on one store, honest clients and a thief, the network between them, and everybody's clocks. */
export class Environment {
  readonly model: Model;
  readonly instances: readonly Instance[];
  readonly #base = new FakeClock();
  readonly #scheduler: Scheduler;
  readonly #store: Store;
  readonly #observer: Observer;
  readonly #context: InstanceContext;
  readonly #clients: Client[] = [];
  readonly #underWay = new Set<Promise<void>>();
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
    const tape = new Recording(this.#store, clock);
    this.#accounts = new Accounts(builtInUsers, pause);
    this.model = tape.model;
    this.#observer = new Observer(this.#store, tape);
    this.#context = {
      store: tape.store,
      clock: (offset) => this.#clock(offset),
      pause,
      authenticate: this.#accounts.authenticate,
      applyIssuerFault: (issuer) => fault.issuer?.(issuer) ?? issuer,
    };
    this.instances = Array.from({ length: INSTANCES }, () => new Instance(this.#context));
  }

  /** Users and a first session, before anything goes wrong. */
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

  /** A client asks for the successor of what it holds; copies of its request reach the instances in turn. */
  refresh(pick: number, at: readonly number[], { copies, lost }: Transmission): void {
    const client = this.#clients[pick % this.#clients.length];
    if (client === undefined || client.loggedOut) return;
    const { refresh_token: held } = client.tokens;
    for (let copy = 0; copy < copies; copy++) {
      this.#send(async () => {
        if (lost === "request") return;
        const outcome = await this.#present("client", held, this.#instance(at[copy % at.length] ?? 0));
        await this.#context.pause("the answer travels");
        // What comes for another token than the one in hand is too late to matter.
        if (lost === "answer" || client.tokens.refresh_token !== held) return;
        if (outcome?.status === "ok") client.tokens = outcome.tokens;
        if (outcome?.status === "invalid_grant") client.loggedOut = true;
      });
    }
  }

  /** Somebody presents a copy of any refresh token that was ever given out. */
  steal(session: number, back: number, at: number): void {
    const known = [...this.#observer.issued.refreshTokens.values()];
    const tokens = [...(known[session % known.length]?.values() ?? [])];
    const text = tokens.at(-1 - (back % tokens.length)) ?? "";
    this.#send(async () => void (await this.#present("thief", text, this.#instance(at))));
  }

  async #present(actor: "client" | "thief", presented: string, on: Instance): Promise<RefreshOutcome | null> {
    const own: RequestContext = {};
    const outcome = await requestContext.run(own, async () => {
      return await on.call(async (issuer) => await issuer.refresh(presented));
    });
    if (outcome === "died") return null;
    this.#observer.recordAnswer({ actor, presented, outcome, presentation: own.presentation });
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

  /** Ends sessions. What was acknowledged must be done; what was refused may be. */
  #end(at: number, sessions: readonly ModelSession[], work: (issuer: Issuer) => Promise<void>): void {
    this.#send(async () => {
      const refused = (error: unknown) => {
        this.#observer.recordError(error);
        return "refused" as const;
      };
      if ((await this.#instance(at).call(work).catch(refused)) !== undefined) return;
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

  /** Of an instance; without one, the store's. */
  setClock(instance: Instance | undefined, offsetMs: number): void {
    this.#observer.clocksSet = true;
    if (instance === undefined) this.#storeOffsetMs = offsetMs;
    else instance.offsetMs = offsetMs;
  }

  /** One instance takes the next step of replacing the secret, if no other is a step behind. */
  async nextSecret(at: number): Promise<void> {
    const instance = this.#instance(at);
    if (instance.secretLevel > Math.min(...this.instances.map(({ secretLevel }) => secretLevel))) return;
    instance.secretLevel = Math.min(LAST_LEVEL, instance.secretLevel + 1);
    await instance.restart();
  }

  /** Throws what does not hold now. */
  async inspect(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.#observer.inspect(this.#now());
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  /** The faults end; what was under way comes to its end; then everybody tries what they have. */
  async finish(): Promise<void> {
    this.#pausing = false;
    for (const instance of this.instances) instance.faults = [];
    for (let ms = 0; ms < DRAIN_MS && this.#underWay.size > 0; ms += 1000) {
      await this.#scheduler.waitIdle();
      await this.#base.advance(1000);
    }
    await this.inspect();
    const sound = new Instance(this.#context);
    sound.offsetMs = this.#storeOffsetMs;
    sound.secretLevel = Math.max(...this.instances.map(({ secretLevel }) => secretLevel));
    await sound.restart();
    for (const client of this.#clients) {
      const session = this.model.sessions.get(client.session);
      if (session === undefined) continue;
      if (!this.model.isLive(session, this.#now())) await this.#tryEnded(session, sound);
      else if (!client.loggedOut) await this.#tryLive(session, client.tokens.refresh_token, sound);
    }
    await this.inspect();
    await sound.crash();
  }

  async #tryLive(session: ModelSession, held: string, on: Instance): Promise<void> {
    const behind = session.currentGeneration - this.#observer.issued.generationOf(held);
    const excused = session.inGrace(session.currentGeneration - 1, this.#now())?.sealed ?? false;
    if (behind > (excused ? 1 : 0)) return;
    const outcome = await this.#present("client", held, on);
    // A cut-off covers every `iat` so far. On a clock that was set back, a new one is no greater until time comes round.
    const cutOff = this.#observer.clocksSet && this.model.cutoffs.has(session.subject);
    const usable =
      outcome?.status === "ok" &&
      (cutOff || (await validateAtIssuer(on.issuer, outcome.tokens.access_token)).valid);
    this.#observer.require("usableAfterFaults", usable);
  }

  async #tryEnded(session: ModelSession, on: Instance): Promise<void> {
    const { issued } = this.#observer;
    for (const token of issued.refreshTokens.get(session.id)?.values() ?? []) {
      const outcome = await this.#present("thief", token, on);
      this.#observer.require("nothingRevives", outcome?.status === "invalid_grant");
    }
    // Merely expired: its last access token may have a little time left.
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

  /** The store's. */
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
      .finally(() => void this.#underWay.delete(done));
    this.#underWay.add(done);
  }
}
