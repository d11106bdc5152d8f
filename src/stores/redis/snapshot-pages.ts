import { HoldfastError } from "../../core/errors.ts";
import { invalidOption } from "../../core/options.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { formatSnapshotCursor, parseSnapshotCursor, type SnapshotCursor } from "../snapshot-cursor.ts";
import type { SnapshotPage } from "../store.ts";
import { defineManifestRead, type Manifest } from "./manifest.ts";

/** The entries of one command. It keeps the server busy for less than a millisecond. */
const PAGE = 1000;
/** The beginning of an entry holds its number and its digest, so it tells entries apart. */
const PREFIX_CHARS = 80;

/**
 * Arguments: where the page begins. It is a bound of `until`, the entries to pass over that have this `until`, and the
 * beginning of the last of these. Without entries to pass over, the bound is the store's time when it is empty. Returns the
 * end of the log, the store's time, and the entries with their `until`. Returns `false` when the last entry is
 * another one, because entries were added or erased before it.
 */
const pageInForce = defineManifestRead(`
local seq, chain = unpack(redis.call('HMGET', KEYS[1], 'seq', 'chain'))
local bound, passed, prefix = ARGV[3], tonumber(ARGV[4]), ARGV[5]
if bound == '' then bound = string.format('%.0f', now) end
local from = redis.call('ZCOUNT', KEYS[3], '-inf', bound) + passed
if passed > 0 then
  local last = redis.call('ZRANGE', KEYS[3], from - 1, from - 1)[1]
  if not last or string.sub(last, 1, #prefix) ~= prefix then return false end
end
return {seq, chain, now, redis.call('ZRANGE', KEYS[3], from, from + ${PAGE - 1}, 'WITHSCORES')}`);

type Reply = readonly [seq: string, chain: string, now: number, list: readonly string[]] | null;

/** Where a page begins: after `passed` entries whose `until` is `until`, the last of which begins with `prefix`. */
type Place = readonly [until: string, passed: number, prefix: string];

/** Redis writes a score as a number, which may have an exponent, or as `inf`. */
const PLACE = /^(\d+(?:\.\d+)?(?:e\+\d+)?|inf) (\d{1,15}) (.*)$/s;

/** Returns `null` for a text that `formatPlace` did not write. */
function readPlace(from: string): Place | null {
  const [, until, passed, prefix] = PLACE.exec(from) ?? [];
  if (until === undefined || prefix === undefined) return null;
  return [`(${until}`, Number(passed), prefix];
}

/** One page of the entries in force, by their `until`. `parse` reads the text of an entry. */
export async function readSnapshotPage(
  { manifest, description }: { readonly manifest: Manifest; readonly description: string },
  text: string | null,
  parse: (text: string) => RevocationEntry,
): Promise<SnapshotPage> {
  const cursor = text === null ? null : parseSnapshotCursor(text, manifest.epoch, "string");
  const args = cursor === null ? (["", 0, ""] as const) : readPlace(cursor.from);
  const reply = args === null ? null : ((await manifest.runScript(pageInForce, args)) as Reply);
  if (reply === null) throw invalidOption("cursor", "the `next` of a page of this log", text);
  const [seq, chain, now, list] = reply;
  const entries = list.filter((_, i) => i % 2 === 0);
  const last = entries.at(-1);
  const { position, nowMs } = cursor ?? {
    position: { epoch: manifest.epoch, seq: Number(seq), chain },
    nowMs: now,
  };
  // The epoch is a member that never expires. Without it, other members may be missing, too.
  if (last === manifest.epoch) return { position, entries: entries.slice(0, -1).map(parse), next: null };
  if (last === undefined || entries.length < PAGE) {
    throw new HoldfastError("store_corrupt", `${description} has lost revocations: restore a backup`);
  }
  const next = formatSnapshotCursor({ position, nowMs, from: formatPlace(list, last, cursor) });
  return { position, entries: entries.map(parse), next };
}

/** The place after the last entry of the page. Entries of one `until` may begin on an earlier page. */
function formatPlace(list: readonly string[], last: string, cursor: SnapshotCursor | null): string {
  const untils = list.filter((_, i) => i % 2 === 1);
  const until = untils.at(-1) ?? "";
  const others = untils.findLastIndex((one) => one !== until);
  const [before, passed] = (cursor === null ? null : readPlace(String(cursor.from))) ?? ["", 0];
  const earlier = others === -1 && before === `(${until}` ? passed : 0;
  return `${until} ${earlier + untils.length - 1 - others} ${last.slice(0, PREFIX_CHARS)}`;
}
