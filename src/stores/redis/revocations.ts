import type { Clock } from "../../core/clock.ts";
import {
  digestRest,
  type LogPosition,
  type Revocation,
  type RevocationEntry,
} from "../../core/revocation.ts";
import { forEachInTurns } from "../../resilience/turns.ts";
import { readPages } from "../../resilience/pages.ts";
import type { RevocationSnapshot, RevocationTail, SnapshotPage } from "../store.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { nextEntry, tailAfter } from "../revocation-log.ts";
import { AcknowledgedWrites } from "./acknowledged-writes.ts";
import { CHAIN_DIGEST } from "./chain-script.ts";
import { FORMAT } from "./format.ts";
import { defineManifestRead, defineManifestWrite, type Manifest } from "./manifest.ts";
import { defineRead, type Script } from "./script.ts";
import { readSnapshotPage } from "./snapshot-pages.ts";

/** The most entries in one command. */
const MAX_BATCH = 100;
/** A reader that is further behind takes a snapshot, which is shorter. */
const MAX_TAIL = 10_000;
/** How often a read of the log also writes. A server that refuses the write may have missed newer entries. */
const HEARTBEAT_MS = 1000;
/** The most entries whose digests one command computes, so that it does not block the server for long. */
const MAX_COMPUTED = 8;

/**
 * Arguments: expected seq and chain, and the time of the entries; then until, JSON of the revocation, the rest of the
 * digest's input, and the digest, of each entry. When the end of the log is another one, the script computes the digests
 * itself, for some of the entries, at its own time. Two processes can therefore append without a wait for each other.
 * Returns the time, the seq and chain at the end, and the seq before and the chains of the entries that were appended.
 */
const appendEntries = defineManifestWrite(`${CHAIN_DIGEST}
local seq, chain = unpack(redis.call('HMGET', KEYS[1], 'seq', 'chain'))
local isExpected = seq == ARGV[3] and chain == ARGV[4]
local at = isExpected and tonumber(ARGV[5]) or now
local before, chains, last = seq, {}, #ARGV
if not isExpected then last = math.min(last, 5 + 4 * ${MAX_COMPUTED}) end
for i = 6, last, 4 do
  seq = seq + 1
  chain = isExpected and ARGV[i + 3] or chain_digest(chain, seq, at, ARGV[i + 2])
  local head = string.format('{"seq":%.0f,"chain":"%s","at":%.0f,"revocation":', seq, chain, at)
  local entry = head .. ARGV[i + 1] .. '}'
  redis.call('XADD', KEYS[2], string.format('%.0f-0', seq), 'at', string.format('%.0f', at), 'entry', entry)
  redis.call('ZADD', KEYS[3], ARGV[i], entry)
  chains[#chains + 1] = chain
end
if #chains > 0 then redis.call('HSET', KEYS[1], 'seq', string.format('%.0f', seq), 'chain', chain, 'beat', now) end
return {at, tostring(before), chain, chains}`);

/**
 * Returns the end of the log. The hash and the log are read one by one, because a cluster runs no script on two keys while
 * they are on two servers. Under a newer format the heartbeat is a write that changes nothing, because reads go on then.
 */
const readEnd: Script = {
  ...defineManifestRead(`
local seq, chain, beat = unpack(redis.call('HMGET', KEYS[1], 'seq', 'chain', 'beat'))
if (tonumber(format) or 0) > ${FORMAT} then redis.call('HDEL', KEYS[1], '')
elseif math.abs(now - beat) >= ${HEARTBEAT_MS} then redis.call('HSET', KEYS[1], 'beat', now) end
return {seq, chain}`),
  writes: true,
};
const readBetween = defineRead("return redis.call('XRANGE', KEYS[1], ARGV[2] .. '-0', ARGV[3] .. '-0')");

const findAbsent = defineManifestRead(`
local absent = {}
for i = 3, #ARGV do
  if not redis.call('ZSCORE', KEYS[3], ARGV[i]) then absent[#absent + 1] = i - 3 end
end
return absent`);

/**
 * Keeps the newest entry, which shows the end of the log. Returns how many entries it erased from the log or from those in
 * force, whichever is more: 1000 when there may be others.
 */
const trim = defineManifestWrite(`
local expired = math.min(1000, redis.call('ZCOUNT', KEYS[3], '-inf', now - ${EXPIRED_RETENTION_MS}))
if expired > 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, expired - 1) end
local seq = redis.call('HGET', KEYS[1], 'seq')
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1000)
local gone = 0
for _, entry in ipairs(oldest) do
  if (tonumber(entry[2][2]) or 0) > now - ${EXPIRED_RETENTION_MS} or entry[1] == seq .. '-0' then break end
  gone = gone + 1
end
if gone > 0 then redis.call('XTRIM', KEYS[2], 'MAXLEN', redis.call('XLEN', KEYS[2]) - gone) end
return math.max(gone, expired)`);

interface PendingAppend {
  readonly revocation: Revocation;
  readonly resolve: (entry: RevocationEntry) => void;
  readonly reject: (error: unknown) => void;
}

/** The time of the new entries, the seq before them, the chain at the end, and the chains of the new entries. */
type AppendReply = readonly [at: number, before: string, chain: string, chains: readonly string[]];

function entryArguments(revocations: readonly Revocation[], last: Omit<RevocationEntry, "revocation">) {
  let end = last;
  return revocations.flatMap((revocation): (string | number)[] => {
    end = nextEntry(end, last.at, revocation);
    return [revocation.until, JSON.stringify(revocation), digestRest(revocation), end.chain];
  });
}

/** The parts of the store that the log uses. */
export interface RedisRevocationLogOptions {
  readonly manifest: Manifest;
  readonly description: string;
  readonly clock: Clock;
  /** Called with entries as soon as they are durable. */
  readonly publish: (entries: readonly RevocationEntry[]) => void;
  /** Ends again the session or sessions of an entry. Returns how many acknowledged ends the server had lost. */
  readonly endAgain: (entry: RevocationEntry) => Promise<number>;
}

/** The revocation log. A process computes the digests of its entries, unless another process has appended meanwhile. */
export class RedisRevocationLog {
  readonly #options: RedisRevocationLogOptions;
  readonly #pending: PendingAppend[] = [];
  #draining: Promise<void> | null = null;
  /** The keys are the digests of the entries. */
  readonly #acknowledged: AcknowledgedWrites<RevocationEntry>;

  constructor(options: RedisRevocationLogOptions) {
    this.#options = options;
    this.#acknowledged = new AcknowledgedWrites(options.clock);
  }

  /** Appends a revocation. Revocations that arrive during a command share the next one. */
  async append(revocation: Revocation): Promise<RevocationEntry> {
    return await new Promise((resolve, reject) => {
      this.#pending.push({ revocation, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  async after(position: LogPosition): Promise<RevocationTail> {
    const { manifest } = this.#options;
    const [end, chain] = (await manifest.runHashScript(readEnd)) as [string, string];
    const seq = Number(end);
    if (position.epoch !== manifest.epoch) return { status: "gap" };
    if (seq === position.seq) {
      return chain === position.chain ? { status: "ok", entries: [] } : { status: "gap" };
    }
    if (seq < position.seq || seq - position.seq > MAX_TAIL) return { status: "gap" };
    const raw = (await manifest.runLogScript(readBetween, [position.seq, seq])) as RawEntry[];
    const entries: RevocationEntry[] = [];
    await forEachInTurns(this.#options.clock, raw, (one) => void entries.push(toEntry(one)));
    // The entries were trimmed, or another server answered that lacks the newest ones.
    if (entries.at(-1)?.seq !== seq) return { status: "gap" };
    return tailAfter(position, manifest.epoch, entries);
  }

  /** The pages come in the order of `until`, and a snapshot in the order of the log. */
  async snapshot(): Promise<RevocationSnapshot> {
    const entries: RevocationEntry[] = [];
    for await (const page of readPages(async (cursor) => await this.snapshotPage(cursor))) {
      for (const entry of page.entries) if (entry.seq <= page.position.seq) entries.push(entry);
      if (page.next !== null) continue;
      const isSorted = entries.every(({ seq }, i) => seq > (entries[i - 1]?.seq ?? -1));
      return {
        position: page.position,
        entries: isSorted ? entries : entries.toSorted((x, y) => x.seq - y.seq),
      };
    }
    throw new TypeError("a snapshot has a last page");
  }

  async snapshotPage(cursor: string | null): Promise<SnapshotPage> {
    return await readSnapshotPage(this.#options, cursor, parseEntry);
  }

  async prune(): Promise<void> {
    while (Number(await this.#options.manifest.runScript(trim)) === 1000);
  }

  /**
   * Ends the sessions of acknowledged entries again, because the server that took over may lack the write. Calls
   * `onRestored` with the number of acknowledged ends that it lacked.
   */
  async endSessionsAgain(onRestored: (count: number) => void): Promise<void> {
    for (const [, entry] of this.#acknowledged.recent()) onRestored(await this.#options.endAgain(entry));
  }

  /** Appends acknowledged entries that the log lacks. Calls `onRestored` for each of them. */
  async appendAgain(onRestored: (count: number) => void): Promise<void> {
    const recent = this.#acknowledged.recent();
    if (recent.length === 0) return;
    const texts = recent.map(([, entry]) => JSON.stringify(entry));
    const absent = (await this.#options.manifest.runScript(findAbsent, texts)) as number[];
    const restoreOne = async ([key, entry]: readonly [string, RevocationEntry]) => {
      await this.append(entry.revocation);
      this.#acknowledged.forget(key, entry);
      onRestored(1);
    };
    await Promise.all(absent.map(async (i) => await restoreOne(recent[i] as (typeof recent)[number])));
  }

  /** Waits for the accepted revocations. */
  async close(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, MAX_BATCH);
      try {
        const entries = await this.#appendAll(group.map(({ revocation }) => revocation));
        this.#options.publish(entries);
        for (const [i, { resolve }] of group.entries()) resolve(entries[i] as RevocationEntry);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#draining = null;
  }

  async #appendAll(revocations: readonly Revocation[]): Promise<RevocationEntry[]> {
    const { manifest } = this.#options;
    const appended: RevocationEntry[] = [];
    // No log has this end, so the first command only reads the actual one.
    let last = { seq: -1, chain: "", at: 0 };
    let isKnown = false;
    while (appended.length < revocations.length) {
      const rest = isKnown ? revocations.slice(appended.length) : [];
      const args = [last.seq, last.chain, last.at, ...entryArguments(rest, last)];
      const reply = (await manifest.runScript(appendEntries, args)) as AppendReply;
      const [at, before, chain, chains] = reply;
      const entries = chains.map((own, i) => {
        const revocation = rest[i] as Revocation;
        return { seq: Number(before) + i + 1, chain: own, at, revocation };
      });
      last = { seq: Number(before) + entries.length, chain, at };
      isKnown = true;
      appended.push(...entries);
      for (const entry of entries) this.#acknowledged.add(entry.chain, entry);
    }
    return appended;
  }
}

export type RawEntry = readonly [id: string, fields: readonly string[]];

/** Returns the entry. The id of the stream entry is its sequence number, even when the rest is unreadable. */
export function toEntry([id, fields]: RawEntry): RevocationEntry {
  return { ...parseEntry(fields[3] ?? ""), seq: Number.parseInt(id, 10) };
}

/** Returns an entry of unknown kind for unreadable JSON, so that the entry is not mistaken for a missing one. */
function parseEntry(text: string): RevocationEntry {
  const unknown = { seq: 0, chain: "", at: 0, revocation: {} as Revocation };
  try {
    return { ...unknown, ...(JSON.parse(text) as RevocationEntry) };
  } catch {
    return unknown;
  }
}
