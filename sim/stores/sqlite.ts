import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/core/clock.ts";
import type { Store } from "../../src/stores/store.ts";
import type { ProcessContext, SimulatedProcess, World } from "../../src/testing/simulation/index.ts";
import { SimulatedDisk } from "../disk/simulated-disk.ts";
import type { PlannedUpgrade } from "../older/planned-upgrades.ts";
import { writeOlderSqliteFile } from "../older/sqlite-file.ts";
import type { StoreLoss } from "../store-loss.ts";
import type { StoreFault } from "./store-fault.ts";
import type { SimulatedDatabase, StoreConditions } from "./simulated-database.ts";
import { lockFile, openSimulatedSqliteStore, type SimulatedSqliteStore } from "./sqlite-store.ts";

/** The usual time of a commit, ms. */
const COMMIT_MS = [0.1, 4] as const;
const RESTART_MS = 2000;
/** A file system in memory. A sync costs nothing there, and the simulated disk decides what is durable. */
const MEMORY_FOLDER = "/dev/shm";

/** SQLite as the database of a simulated service, whose processes share one machine. */
export class SimulatedSqlite implements SimulatedDatabase {
  readonly name = "sqlite";
  readonly conditions: StoreConditions = { stallMs: 0, refused: 0, lostAnswers: 0, silent: 0 };
  readonly faults: readonly StoreFault[];
  readonly #world: World;
  readonly #disk: SimulatedDisk;
  readonly #random: () => number;
  /** The stores that processes have open. Those of ended processes stay open, as nothing closes them. */
  readonly #open = new Set<SimulatedSqliteStore>();
  readonly #machine = new Set<SimulatedProcess>();
  readonly #onLoss: (loss: StoreLoss) => void;

  constructor(world: World, random: () => number, onLoss: (loss: StoreLoss) => void) {
    const parent = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir();
    this.#world = world;
    this.#random = random;
    this.#onLoss = onLoss;
    const folder = mkdtempSync(join(parent, "holdfast-simulation-"));
    this.#disk = new SimulatedDisk(folder, random, () => world.clock.now());
    this.faults = this.#createFaults();
  }

  connect(process: SimulatedProcess, context: ProcessContext): Store {
    this.#machine.add(process);
    const opened = openSimulatedSqliteStore(
      this.#disk,
      { ...context, clock: this.#machineClock(context) },
      {
        commitMs: () => this.#commitMs(),
        onPowerFailure: (lost) => {
          this.#reportLoss(lost);
          this.#restartLater(this.#losePower());
        },
      },
    );
    this.#open.add(opened);
    return gateStore(opened.store, context);
  }

  /** The power of the machine fails. The returned function starts its processes again. */
  crash(): () => void {
    this.#reportLoss(this.#disk.crash());
    const lost = this.#losePower();
    return () => startAgain(lost);
  }

  /** The processes of the machine stop. Those of this version find a file of an earlier one. */
  writeOlderRecords({ schema }: PlannedUpgrade): void {
    if (!this.#disk.isHonest) return;
    const stopped = this.#stop({ power: false });
    this.#disk.rewrite((file) => writeOlderSqliteFile(file, schema));
    this.#restartLater(stopped);
  }

  /** A store with a command under way closes only while the world runs, so nothing waits for the stores. */
  async close(): Promise<void> {
    for (const { store } of this.#open) void store.close();
    await Promise.resolve(this.#disk.remove());
  }

  /** The processes of one machine have one wall clock, and each has its timers. */
  #machineClock({ clock }: ProcessContext): Clock {
    return { ...clock, now: () => this.#world.clock.now() };
  }

  #commitMs(): number {
    const [min, max] = COMMIT_MS;
    return min + this.#random() * (max - min) + this.#random() * this.conditions.stallMs;
  }

  #losePower(): SimulatedProcess[] {
    return this.#stop({ power: true });
  }

  /** Ends all processes, and returns those that ran. */
  #stop(how: { power: boolean }): SimulatedProcess[] {
    const lost = [...this.#machine].filter(({ isAlive }) => isAlive);
    for (const process of lost) process.crash(how);
    for (const { store } of this.#open) void store.close();
    this.#open.clear();
    return lost;
  }

  /** `lost` are the times of lost commits. Nothing tells what each of them wrote. */
  #reportLoss(lost: readonly number[]): void {
    if (lost.length === 0) return;
    const changes = lost.map((at) => ({ at, keys: null }));
    this.#onLoss({ since: this.#world.clock.now(), isRemembered: false, changes });
  }

  #restartLater(lost: readonly SimulatedProcess[]): void {
    this.#world.after(RESTART_MS, () => startAgain(lost));
  }

  #createFaults(): StoreFault[] {
    return [
      {
        name: "the power fails within a commit",
        begin: () => {
          this.#disk.armCrash();
          return () => {};
        },
      },
      {
        name: "the disk is full",
        begin: () => {
          const full = [...this.#open];
          for (const { setFull } of full) setFull(true);
          return () => {
            for (const one of full) if (this.#open.has(one)) one.setFull(false);
          };
        },
      },
      {
        name: "another process holds the lock",
        begin: () => lockFile(this.#disk),
      },
      {
        name: "the disk lies, and the power fails",
        losesAcknowledged: true,
        begin: () => {
          this.#disk.lie();
          return () => {
            this.#reportLoss(this.#disk.crash());
            this.#restartLater(this.#losePower());
          };
        },
      },
    ];
  }
}

function startAgain(processes: readonly SimulatedProcess[]): void {
  for (const process of processes) if (!process.isAlive) process.start();
}

/** Lets no answer reach a process that has ended. */
function gateStore(store: Store, { gate }: ProcessContext): Store {
  const gated: Record<string, unknown> = { ...store, close: async () => await Promise.resolve() };
  for (const [name, part] of Object.entries(store)) {
    if (typeof part === "object" && part !== null) gated[name] = gateMembers(part as object, gate);
  }
  for (const name of ["now", "prune"] as const)
    gated[name] = async () => await gate(Promise.resolve(store[name]()) as Promise<unknown>);
  return gated as unknown as Store;
}

function gateMembers(part: object, gate: ProcessContext["gate"]): object {
  const gated: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(part)) {
    gated[name] =
      typeof member !== "function" || name === "subscribe"
        ? member
        : (...args: unknown[]) => {
            const answer: unknown = (member as (...all: unknown[]) => unknown).apply(part, args);
            return answer instanceof Promise ? gate(answer) : answer;
          };
  }
  return gated;
}
