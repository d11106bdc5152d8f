import {
  MINUTE_ROWS,
  SECOND_ROWS,
  type Frame,
  type Instance,
  type Snapshot,
  type StreamMessages,
} from "../wire.ts";
import type { TimelineEvent } from "../wire-state.ts";
import { History, unpackInto } from "./history.ts";
import { Minute } from "./minute.ts";

/** The most events that the page keeps. */
const MAX_EVENTS = 2_000;

/** The facts that the page has about a process. */
export interface Received {
  readonly instance: Instance;
  readonly fields: readonly string[];
  readonly issuers: readonly string[];
  /** One row a second, for an hour. */
  readonly seconds: History;
  /** One row a minute, for a day. */
  readonly minutes: History;
  /** Oldest first. */
  readonly events: readonly TimelineEvent[];
  readonly frame: Frame;
}

/** Keeps what the stream sends, in bounded memory, and tells the page of each change. */
export class DashboardStore {
  readonly #listeners = new Set<() => void>();
  #received: Received | null = null;
  #minute = new Minute([]);

  /** `null` before the first snapshot. */
  get received(): Received | null {
    return this.#received;
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async apply<Name extends keyof StreamMessages>(name: Name, data: StreamMessages[Name]): Promise<void> {
    if (name === "snapshot") await this.#applySnapshot(data as Snapshot);
    else if (name === "frame") this.#applyFrame(data as Frame);
    else if (name === "event") this.#applyEvents([data as TimelineEvent]);
    for (const listener of this.#listeners) listener();
  }

  async #applySnapshot(snapshot: Snapshot): Promise<void> {
    const { instance, fields, issuers, events, frame, resumed } = snapshot;
    const known = this.#received;
    // The columns change when a process finds another issuer, and old rows do not have the new ones.
    const continues =
      resumed &&
      known !== null &&
      known.instance.id === instance.id &&
      known.fields.join() === fields.join() &&
      known.issuers.join() === issuers.join();
    const seconds = continues ? known.seconds : new History(fields, SECOND_ROWS);
    const minutes = continues ? known.minutes : new History(fields, MINUTE_ROWS);
    if (!continues) this.#minute = new Minute(fields);
    await unpackInto(seconds, fields.length, snapshot.seconds);
    await unpackInto(minutes, fields.length, snapshot.minutes);
    this.#received = {
      instance,
      fields,
      issuers,
      seconds,
      minutes,
      frame,
      events: continues ? known.events : [],
    };
    this.#applyEvents(events);
    this.#applyFrame(frame);
  }

  #applyFrame(frame: Frame): void {
    const known = this.#received;
    if (known === null) return;
    if (frame.at < known.seconds.lastAt) this.#setBack(known, frame.at);
    known.seconds.push(frame.at, frame.values);
    const row = this.#minute.add(frame.at, frame.values);
    if (row !== null) known.minutes.push(row.at, row.values);
    this.#received = { ...known, frame };
  }

  /** The clock of the process was set back. Charts would show nothing until it reaches its old time. */
  #setBack({ fields, seconds, minutes }: Received, at: number): void {
    seconds.dropFrom(at);
    minutes.dropFrom(at);
    this.#minute = new Minute(fields);
  }

  #applyEvents(added: readonly TimelineEvent[]): void {
    const known = this.#received;
    if (known === null) return;
    const last = known.events.at(-1)?.seq ?? -1;
    const events = [...known.events, ...added.filter(({ seq }) => seq > last)].slice(-MAX_EVENTS);
    this.#received = { ...known, events };
  }
}
