import type { Frame, Instance, PackedHistory, Snapshot, StreamMessages } from "../../dashboard/wire.ts";
import type { TimelineEvent } from "../../dashboard/wire-state.ts";
import { oauthError } from "../http/respond.ts";
import type { Sampler, Viewers } from "./sampler.ts";

/** The most viewers at the same time. Each costs memory and a part of every second. */
const MAX_VIEWERS = 20;
/** A viewer with this much unsent is dropped. A snapshot of a full history has room. */
const MAX_UNSENT_BYTES = 4 * 1_048_576;
/** A viewer who missed more than this gets the whole history again, which all viewers share. */
const MAX_RESUMED_ROWS = 300;

/** A proxy must not collect the messages. */
export const streamHeaders = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "X-Accel-Buffering": "no",
} as const;

const encoder = new TextEncoder();

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** The side of a client of `GET /events`. */
interface ViewerConnection {
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
  /** Ends the connection. An error of the stream would end it as well, and Hono would write its stack to the log. */
  readonly disconnect: () => void;
}

interface Viewer {
  readonly controller: Controller;
  readonly connection: ViewerConnection;
  /** The messages that wait for the snapshot. `null` after it. */
  waiting: Uint8Array[] | null;
}

/** Where a client left off. */
interface Position {
  readonly seq: number;
  readonly at: number;
}

/** Sends the frames and events of a process to every viewer, as server-sent events. */
export class EventStream implements Viewers {
  readonly #sampler: Sampler;
  readonly #instance: (isLocal: boolean) => Instance;
  readonly #viewers = new Set<Viewer>();
  #isClosed = false;

  /** `instance` describes this process to a client on this machine, or to another one. */
  constructor(sampler: Sampler, instance: (isLocal: boolean) => Instance) {
    this.#sampler = sampler;
    this.#instance = instance;
    sampler.watch(this);
  }

  get count(): number {
    return this.#viewers.size;
  }

  onFrame(frame: Frame): void {
    this.#broadcast("frame", frame);
  }

  onEvent(event: TimelineEvent): void {
    if (this.#viewers.size > 0) this.#broadcast("event", event);
  }

  /** Answers a request. `lastEventId` is the header of a client that comes back. */
  open(lastEventId: string | undefined, connection: ViewerConnection): Response {
    if (this.#isClosed) return busy("The service is stopping.");
    if (this.#viewers.size >= MAX_VIEWERS) {
      return busy(`The dashboard has ${MAX_VIEWERS} viewers, and no place for another one.`);
    }
    let viewer: Viewer | undefined;
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          viewer = { controller, connection, waiting: [] };
          this.#viewers.add(viewer);
        },
        cancel: () => {
          if (viewer !== undefined) this.#viewers.delete(viewer);
        },
      },
      { highWaterMark: MAX_UNSENT_BYTES, size: (chunk) => chunk.byteLength },
    );
    if (viewer !== undefined) void this.#begin(viewer, lastEventId);
    return new Response(stream, { headers: streamHeaders });
  }

  /** Ends every stream. */
  close(): void {
    this.#isClosed = true;
    for (const { controller } of this.#viewers) controller.close();
    this.#viewers.clear();
  }

  async #begin(viewer: Viewer, lastEventId: string | undefined): Promise<void> {
    try {
      await this.#sampler.checkHealth();
      // From here to the copy of the history nothing waits, so that no frame is sent twice or left out.
      const id = this.#messageId();
      const waiting: Uint8Array[] = (viewer.waiting = []);
      const snapshot = await this.#snapshot(lastEventId, viewer.connection.isLocal);
      viewer.waiting = null;
      for (const message of [encode("snapshot", snapshot, id), ...waiting]) this.#send(viewer, message);
    } catch {
      this.#drop(viewer);
    }
  }

  async #snapshot(lastEventId: string | undefined, isLocal: boolean): Promise<Snapshot> {
    const { seconds, minutes, events, fields, issuers } = this.#sampler;
    const instance = this.#instance(isLocal);
    const frame = this.#sampler.latestFrame();
    const last = readMessageId(instance, lastEventId);
    const missedRows = last === null ? null : seconds.rowsAfter(last.at);
    const resumed = last !== null && missedRows !== null && missedRows <= MAX_RESUMED_ROWS;
    const missedEvents = events.after(resumed ? last.seq : 0);
    const packing = resumed
      ? [seconds.pack(missedRows), minutes.pack(minutes.countAfter(last.at))]
      : [seconds.packAll(), minutes.packAll()];
    const [packedSeconds, packedMinutes] = (await Promise.all(packing)) as [PackedHistory, PackedHistory];
    const histories = { seconds: packedSeconds, minutes: packedMinutes };
    return { instance, fields, issuers, resumed, ...histories, events: missedEvents, frame };
  }

  #broadcast<Name extends "frame" | "event">(name: Name, data: StreamMessages[Name]): void {
    const message = encode(name, data, this.#messageId());
    for (const viewer of this.#viewers) this.#send(viewer, message);
  }

  #send(viewer: Viewer, message: Uint8Array): void {
    if (viewer.waiting !== null) {
      viewer.waiting.push(message);
      return;
    }
    if ((viewer.controller.desiredSize ?? 0) > 0) viewer.controller.enqueue(message);
    else this.#drop(viewer);
  }

  /** Ends a viewer that reads too slowly, or that cannot get a snapshot. Its page connects again. */
  #drop(viewer: Viewer): void {
    // A viewer that has left has no connection to end.
    if (this.#viewers.delete(viewer)) viewer.connection.disconnect();
  }

  #messageId(): string {
    const { events, latestAt } = this.#sampler;
    return `${this.#instance(false).id}.${events.seq}.${latestAt}`;
  }
}

function encode<Name extends keyof StreamMessages>(
  name: Name,
  data: StreamMessages[Name],
  id: string,
): Uint8Array {
  return encoder.encode(`event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** `null` for the id of another process, and for a text that is not an id. */
function readMessageId({ id }: Instance, text: string = ""): Position | null {
  const [process, seq, at] = text.split(".");
  if (process !== id || !/^\d{1,16}$/.test(seq ?? "") || !/^\d{1,16}$/.test(at ?? "")) return null;
  return { seq: Number(seq), at: Number(at) };
}

function busy(description: string): Response {
  return oauthError(503, "temporarily_unavailable", description, { "Retry-After": "10" });
}
