/** A process, as events, the network and the clocks of the platform see it. */
export interface Machine {
  readonly name: string;
  readonly number: number;
  readonly isAlive: boolean;
  /** @internal Number of its starts. An event of an earlier life does not happen. */
  readonly life: number;
  /** True time at which a frozen process continues. 0 when it is not frozen. */
  readonly frozenUntil: number;
  wallNow(): number;
  monotonicNow(): number;
  /** @internal Plans a timer on the monotonic clock. The returned function cancels it. */
  planTimer(ms: number, fn: () => void): () => void;
  /** @internal Calls `listener` at a crash that resets connections, until the returned function is called. */
  onCrash(listener: () => void): () => void;
}

/** Something that happens at one moment of a simulation. */
export interface SimulationEvent {
  /** True time of the world, epoch milliseconds with a fraction. */
  at: number;
  /** The time for which it was planned. A freeze of its process makes it later. */
  readonly dueAt: number;
  /** Events that were due at the same moment happen in this order. */
  readonly order: number;
  /** The process in which it happens. `null` for the world itself. */
  readonly machine: Machine | null;
  /** The life of the process that planned the event. A restarted process has another one. */
  readonly life: number;
  readonly label: string;
  readonly run: () => void;
  isCancelled: boolean;
  /** Where the event was planned, when the world keeps a trace. */
  readonly origin: string | undefined;
}

/** The world, as its parts see it. */
export interface Scheduler {
  readonly now: number;
  readonly elapsedMs: number;
  /** The process whose event happens now. `null` for the world itself. */
  readonly current: Machine | null;
  readonly processes: readonly Machine[];
  readonly random: () => number;
  /** @internal Plans a timer of the world itself. The returned function cancels it. */
  planTimer(ms: number, fn: () => void): () => void;
  /** @internal */
  plan(ms: number, machine: Machine | null, label: string, run: () => void): SimulationEvent;
  /** @internal Adds a line to the trace, for something that is no event of its own. */
  note(describe: () => string): void;
  /** @internal Records an error that nothing caught. */
  reportFailure(machine: Machine | null, error: unknown): void;
  deriveSeed(purpose: string): number;
}
