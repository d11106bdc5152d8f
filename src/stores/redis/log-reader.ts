import { sleep, type Clock } from "../../core/clock.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { RevocationListeners, type RevocationListener } from "../revocation-log.ts";
import type { RedisConnection } from "./connection.ts";
import { toEntry, type RawEntry } from "./revocations.ts";

/** The server answers at the latest after this time, so a connection that is deaf is noticed. */
const BLOCK_MS = 1000;
const RETRY_PAUSE_MS = 500;
/** Entries remembered as told, so that those of this process, which come back in the stream, are told once. */
const MAX_REMEMBERED = 10_000;

export interface LogReaderOptions {
  /** A connection of its own: a read that blocks would hold up whatever shares it. */
  readonly open: () => Promise<RedisConnection>;
  readonly logKey: string;
  /** Where the log ended when it was opened. */
  readonly seq: number;
  readonly clock: Clock;
}

/**
 * Tells listeners of entries: of this process at once, of others as the stream brings them. It may miss some or
 * bring them out of order; whoever follows the log notices that by their numbers and asks.
 */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #listeners = new RevocationListeners();
  readonly #published = new Set<string>();
  #subscribers = 0;
  #from: number;
  #reading = false;
  #link: RedisConnection | null = null;
  #closed = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#from = options.seq;
  }

  subscribe(listener: RevocationListener): () => void {
    const leave = this.#listeners.subscribe(listener);
    this.#subscribers++;
    if (!this.#reading) void this.#read();
    let left = false;
    return () => {
      leave();
      if (!left) this.#subscribers--;
      left = true;
    };
  }

  publish(entries: readonly RevocationEntry[]): void {
    const news = entries.filter(({ seq, chain }) => !this.#published.has(`${seq} ${chain}`));
    for (const { seq, chain } of news) this.#published.add(`${seq} ${chain}`);
    for (const old of this.#published) {
      if (this.#published.size <= MAX_REMEMBERED) break;
      this.#published.delete(old);
    }
    this.#listeners.publish(news);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#link?.close();
  }

  get #isWanted(): boolean {
    return !this.#closed && this.#subscribers > 0;
  }

  async #read(): Promise<void> {
    const { open, clock } = this.#options;
    this.#reading = true;
    while (this.#isWanted) {
      try {
        this.#link = await open();
        while (this.#isWanted) await this.#readOnce(this.#link);
      } catch {
        if (this.#isWanted) await sleep(clock, RETRY_PAUSE_MS);
      }
      await this.#link?.close();
      this.#link = null;
    }
    this.#reading = false;
  }

  async #readOnce(link: RedisConnection): Promise<void> {
    const { logKey } = this.#options;
    const command = ["XREAD", "BLOCK", String(BLOCK_MS), "COUNT", "1000", "STREAMS", logKey];
    const reply = await link.send(logKey, [...command, `${this.#from}-0`], BLOCK_MS);
    const [[, raw] = [null, []]] = (reply ?? []) as [key: string, entries: RawEntry[]][];
    const entries = raw.map(toEntry);
    this.#from = entries.at(-1)?.seq ?? (await this.#readEnd(link));
    this.publish(entries);
  }

  /** Behind us, if a server took over that had not heard of the last entries. */
  async #readEnd(link: RedisConnection): Promise<number> {
    const { logKey } = this.#options;
    const [last] = (await link.send(logKey, ["XREVRANGE", logKey, "+", "-", "COUNT", "1"], 0)) as RawEntry[];
    return last === undefined ? this.#from : Math.min(this.#from, toEntry(last).seq);
  }
}
