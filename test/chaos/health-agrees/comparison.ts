import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { HealthStatus, ServiceHealth } from "../../../src/server/health/service-health.ts";
import type { Fault } from "../../support/faults/faults.ts";
import { kinds, type Kind } from "../../support/faults/users.ts";
import type { ServiceProcess } from "../../support/service-process.ts";
import type { Site } from "./site.ts";

/** Health may be late by this many rounds. */
const ALLOWED_LAG = 2;
const MOST_ROUNDS = 40;
/** Users and health must agree for this many rounds before a fault, and after it. */
const WELL_ROUNDS = 2;

interface Round {
  readonly users: Readonly<Record<Kind, boolean>>;
  readonly health: Readonly<Record<Kind, HealthStatus>>;
  /** The status of each process. */
  readonly status: readonly HealthStatus[];
  /** What each process answers to the probe of a load balancer, with the requests that it serves. */
  readonly ready: readonly { readonly status: number; readonly serves: readonly Kind[] }[];
}

/** Compares what users get with what health says, about once a second. */
export class Comparison {
  readonly #site: Site;
  readonly #late = new Map<string, number>();
  readonly #progress: (text: string) => void;
  #rounds = 0;

  constructor(site: Site, progress: (text: string) => void = () => undefined) {
    this.#site = site;
    this.#progress = progress;
  }

  get rounds(): number {
    return this.#rounds;
  }

  /** Injects the fault, and repairs it after some rounds. Fails when users and health disagree. */
  async during(fault: Fault, rounds: number): Promise<void> {
    const { name, affected = [], noticed = [] } = fault;
    await this.#untilWell(`before ${name}`);
    await fault.inject();
    const failed = new Set<Kind>();
    const reported = new Set<Kind>();
    for (let i = 0; i < rounds; i++) {
      const { users, health, status } = await this.#round(name);
      for (const kind of kinds) if (!users[kind]) failed.add(kind);
      for (const kind of kinds) if (health[kind] !== "ok") reported.add(kind);
      if (i > ALLOWED_LAG && failed.size > 0) {
        assert.ok(
          status.some((one) => one !== "ok"),
          `${name}: health is ok`,
        );
      }
    }
    await fault.repair();
    for (const kind of affected) assert.ok(failed.has(kind), `${name} did not affect ${kind}`);
    for (const kind of noticed) assert.ok(reported.has(kind), `${name}: health called ${kind} well`);
    await this.#untilWell(`after ${name}`);
  }

  async #untilWell(what: string): Promise<void> {
    let well = 0;
    for (let i = 0; i < MOST_ROUNDS && well < WELL_ROUNDS; i++) {
      const { users, status } = await this.#round(what);
      const isWell = status.every((one) => one === "ok") && kinds.every((kind) => users[kind]);
      well = isWell ? well + 1 : 0;
    }
    assert.equal(well, WELL_ROUNDS, `${what}: users and health did not recover`);
  }

  async #round(what: string): Promise<Round> {
    // A round takes about a second, because health may probe the store once a second.
    this.#rounds++;
    const [round] = await Promise.all([runRound(this.#site), pause(900)]);
    const { users, health, ready } = round;
    this.#progress(`${what}: ${kinds.map((kind) => `${kind} ${users[kind]}/${health[kind]}`).join(", ")}`);
    for (const kind of kinds) {
      const agrees = users[kind] ? health[kind] !== "unavailable" : health[kind] !== "ok";
      this.#count(`${what}: ${kind} passed: ${users[kind]}, health says ${health[kind]}`, kind, agrees);
    }
    for (const [i, { status, serves }] of ready.entries()) {
      const agrees = status === 200 || !serves.some((kind) => users[kind]);
      this.#count(`${what}: ready is ${status}`, `ready ${i}`, agrees);
    }
    return round;
  }

  #count(message: string, kind: string, agrees: boolean): void {
    const late = agrees ? 0 : (this.#late.get(kind) ?? 0) + 1;
    this.#late.set(kind, late);
    assert.ok(late <= ALLOWED_LAG, `${message}, for ${late} rounds`);
  }
}

/** Users ask for everything, and then the health is asked for. */
async function runRound({ users, issuer, gateway }: Site): Promise<Round> {
  const passed = await users.askAll();
  const [issuing, guarding] = await Promise.all([healthOf(issuer), healthOf(gateway)]);
  const { login, refresh: refreshing } = issuing.outcomes;
  const { ownTokens: own_, providerTokens: foreign } = guarding.outcomes;
  assert.ok(foreign, "the health lacks the provider");
  const isOne = issuer === gateway;
  const isReady = async (service: ServiceProcess, serves: readonly Kind[]) => {
    const { status } = await fetch(`${service.url}/health/ready`);
    return { status, serves };
  };
  return {
    users: passed,
    health: {
      login: login.status,
      refresh: refreshing.status,
      ownTokens: own_.status,
      providerTokens: foreign.status,
    },
    status: isOne ? [issuing.status] : [issuing.status, guarding.status],
    ready: isOne
      ? [await isReady(issuer, kinds)]
      : [
          await isReady(issuer, ["login", "refresh"]),
          await isReady(gateway, ["ownTokens", "providerTokens"]),
        ],
  };
}

async function healthOf({ admin }: ServiceProcess): Promise<ServiceHealth> {
  return (await (await fetch(`${admin}/health`)).json()) as ServiceHealth;
}
