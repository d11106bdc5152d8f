import type { Clock } from "../../core/clock.ts";
import type { MetricSource } from "../../core/metrics.ts";
import { MINUTE_ROWS, SECOND_ROWS, type Frame } from "../../dashboard/wire.ts";
import type { TimelineEvent } from "../../dashboard/wire-state.ts";
import { MinuteFold } from "./minute-fold.ts";
import type { FallbackPolicy } from "../health/fallback.ts";
import type { HealthMonitor } from "../health/health-monitor.ts";
import type { ServiceHealth } from "../health/service-health.ts";
import type { Service } from "../service.ts";
import { EventLog } from "./event-log.ts";
import type { Moment } from "./frame-columns.ts";
import { FrameHistory, type FrameValues } from "./frame-history.ts";
import { FrameReader } from "./frame-reader.ts";
import { MetricReadings } from "./metric-readings.ts";
import { ProcessReader } from "./process-readings.ts";
import { describeState, type StateSources } from "./state.ts";
import { StoreCommands } from "./store-commands.ts";

const INTERVAL_MS = 1_000;
/** A check of the health writes to the store. Without a viewer, history and timeline need it less often. */
const HEALTH_INTERVAL_MS = 10_000;
const DISK_INTERVAL_MS = 30_000;

export interface SamplerOptions {
  readonly monitor: HealthMonitor;
  /** Further sources of metrics than guard and issuer. */
  readonly metrics: readonly MetricSource[];
  readonly fallback: FallbackPolicy;
  readonly revocationLimitMs: number | null;
  /** The file of the embedded store. `null` with another store. */
  readonly storeFile: string | null;
  readonly others?: StateSources["others"];
  readonly clock?: Clock;
}

/** The receivers of frames and events. */
export interface Viewers {
  /** The sampler makes no frame for viewers while it is 0. */
  readonly count: number;
  readonly onFrame: (frame: Frame) => void;
  readonly onEvent: (event: TimelineEvent) => void;
}

const noViewers: Viewers = { count: 0, onFrame: () => {}, onEvent: () => {} };

interface Sample {
  readonly at: number;
  readonly moment: Omit<Moment, "health">;
  readonly values: FrameValues;
}

/** Reads the service once a second, and keeps an hour of seconds, a day of minutes, and the latest events. */
export class Sampler {
  readonly seconds: FrameHistory;
  readonly minutes: FrameHistory;
  readonly events: EventLog;
  readonly #service: Service;
  readonly #options: SamplerOptions;
  readonly #clock: Clock;
  #viewers: Viewers = noViewers;
  readonly #reader: FrameReader;
  readonly #commands = new StoreCommands();
  readonly #fold: MinuteFold;
  readonly #process: ProcessReader;
  readonly #lastGaps = new Map<string | null, TimelineEvent>();
  readonly #sources: MetricSource[];
  #health: ServiceHealth | null = null;
  #checking: Promise<ServiceHealth> | null = null;
  #checkedAt = -Infinity;
  #diskReadAt = -Infinity;
  #sampledAt = Number.NaN;
  #last: Sample | null = null;
  #stops: (() => void)[] = [];

  constructor(service: Service, options: SamplerOptions) {
    this.#service = service;
    this.#options = options;
    this.#clock = options.clock ?? service.platform.clock;
    this.#sources = [service.guard, service.issuer, ...options.metrics];
    this.#reader = new FrameReader(service.guard.status().issuers.map(({ issuer }) => issuer));
    this.seconds = new FrameHistory(SECOND_ROWS, this.fields.length);
    this.minutes = new FrameHistory(MINUTE_ROWS, this.fields.length);
    this.#fold = new MinuteFold(this.fields);
    this.#process = new ProcessReader(options.storeFile);
    this.events = new EventLog(this.#clock, (event) => this.#onEvent(event));
  }

  get fields(): readonly string[] {
    return this.#reader.fields;
  }

  /** The issuers that have columns. */
  get issuers(): readonly string[] {
    return this.#reader.issuers;
  }

  /** Sends frames and events to these viewers from now on. */
  watch(viewers: Viewers): void {
    this.#viewers = viewers;
  }

  start(): void {
    this.#stops = [this.events.subscribe(), () => this.#process.close()];
    this.#sample();
    this.#schedule(this.#clock.monotonic() + INTERVAL_MS);
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** The time of the latest frame. */
  get latestAt(): number {
    return (this.#last ?? this.#sample()).at;
  }

  /** The latest frame. The health must have been checked once. */
  latestFrame(): Frame {
    if (this.#health === null) throw new TypeError("the health must be checked first");
    return this.#frame(this.#last ?? this.#sample(), this.#health);
  }

  /** Checks the health. At most one check runs at a time. */
  async checkHealth(): Promise<void> {
    this.#checkedAt = this.#clock.monotonic();
    this.#checking ??= this.#options.monitor.check().finally(() => (this.#checking = null));
    this.#setHealth(await this.#checking);
  }

  #schedule(dueAt: number): void {
    const cancel = this.#clock.after(Math.max(0, dueAt - this.#clock.monotonic()), () => {
      this.#stops = this.#stops.filter((stop) => stop !== cancel);
      this.#tick();
      // A process that stood still does not catch up.
      this.#schedule(Math.max(dueAt + INTERVAL_MS, this.#clock.monotonic()));
    });
    this.#stops.push(cancel);
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    const sample = this.#sample();
    if (this.#viewers.count > 0 && this.#health !== null)
      this.#viewers.onFrame(this.#frame(sample, this.#health));
    if (this.#viewers.count > 0 || now - this.#checkedAt >= HEALTH_INTERVAL_MS) void this.checkHealth();
    if (now - this.#diskReadAt >= DISK_INTERVAL_MS) {
      this.#diskReadAt = now;
      void this.#process.readDisk();
    }
  }

  #sample(): Sample {
    const at = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const metrics = new MetricReadings(this.#sources);
    const process = this.#process.read(monotonic - this.#sampledAt);
    this.#sampledAt = monotonic;
    const status = this.#service.guard.status();
    const moment = { metrics, status, process, healthProbes: this.#options.monitor.guardProbes };
    const values = this.#reader.read({ ...moment, health: this.#health }, monotonic);
    this.#commands.add(metrics, monotonic);
    this.seconds.push(at, values);
    const minute = this.#fold.add(at, values);
    if (minute !== null) this.minutes.push(minute.at, minute.values);
    this.#last = { at, moment, values };
    return this.#last;
  }

  #frame({ at, moment, values }: Sample, health: ServiceHealth): Frame {
    const { fallback, revocationLimitMs, others = () => null } = this.#options;
    const sources = {
      service: this.#service,
      reader: this.#reader,
      commands: this.#commands,
      fallback,
      revocationLimitMs,
      lastGaps: this.#lastGaps,
      others,
    };
    return { at, values, state: describeState(sources, { ...moment, health }, values, health) };
  }

  #setHealth(health: ServiceHealth): void {
    const before = this.#health?.headline;
    const { status, part, text: message } = health.headline;
    this.#health = health;
    if (before?.status === status && before.part === part) return;
    // A service that starts well has no news.
    if (before === undefined && status === "ok") return;
    const tone = status === "ok" ? "good" : status === "degraded" ? "warning" : "alarm";
    this.events.add({ source: "health", kind: part ?? "ok", tone, issuer: null, message });
  }

  #onEvent(event: TimelineEvent): void {
    if (event.kind === "revocations_gap") this.#lastGaps.set(event.issuer, event);
    this.#viewers.onEvent(event);
  }
}
