import type { AuditEvent } from "../../core/events.ts";
import type { AuditStore, MarkerStore } from "../store.ts";
import { AUDIT_RETENTION_MS } from "../retention.ts";
import type { RedisConnection } from "./connection.ts";
import { defineRead, defineWrite } from "./script.ts";
import { defineManifestRead, defineManifestWrite, type Manifest } from "./manifest.ts";

/* Markers: fields of the manifest. */

const readFieldScript = defineManifestRead(`return {now, redis.call('HGET', KEYS[1], ARGV[3])}`);

/**
 * Arguments: field, expected value ('' when unset), new value. Returns whether the field was replaced, and the stored value.
 */
const compareAndSetScript = defineManifestWrite(`
local standing = redis.call('HGET', KEYS[1], ARGV[3])
if (standing or '') ~= ARGV[4] then return {0, standing} end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[5])
return {1, ARGV[5]}`);

/** Returns the store's time, and the value of a field of the manifest. `null` when it is not set. */
async function readField(manifest: Manifest, field: string): Promise<[now: number, value: string | null]> {
  const [now, value = null] = (await manifest.runHashScript(readFieldScript, [field])) as [number, string?];
  return [now, value];
}

async function compareAndSetField(
  manifest: Manifest,
  field: string,
  from: string,
  to: string,
): Promise<[boolean, string]> {
  const [swapped, standing = ""] = (await manifest.runHashScript(compareAndSetScript, [field, from, to])) as [
    number,
    string?,
  ];
  return [swapped === 1, standing];
}

export function createMarkerStore(manifest: Manifest): MarkerStore {
  return {
    read: async (name) => (await readField(manifest, `marker:${name}`))[1],
    claim: async (name, value) => (await compareAndSetField(manifest, `marker:${name}`, "", value))[1],
    replace: async (name, from, to) =>
      (await compareAndSetField(manifest, `marker:${name}`, from, to))[0] ? "replaced" : "stale",
  };
}

/* Audit events: a list with the newest event first. */

/** About 250 MB: a flood of failed logins must not use up the memory of the server. */
const MAX_EVENTS = 1_000_000;

const addEvent = defineWrite(`
redis.call('LPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], 0, ${MAX_EVENTS - 1})`);
const recentEvents = defineRead(`return redis.call('LRANGE', KEYS[1], 0, ARGV[2] - 1)`);
/** ARGV[3] is the number of events that are older than the page before, and empty for the first page. */
const pageOfEvents = defineRead(`
local length = redis.call('LLEN', KEYS[1])
local left = math.min(tonumber(ARGV[3]) or length, length)
return {left, redis.call('LRANGE', KEYS[1], length - left, length - left + ARGV[2] - 1)}`);
const pruneEvents = defineWrite(`
for gone = 1, 1000 do
  local oldest = redis.call('LINDEX', KEYS[1], -1)
  if not oldest then return gone end
  local isRead, event = pcall(cjson.decode, oldest)
  local isEvent = isRead and type(event) == 'table' and type(event.at) == 'number'
  if isEvent and event.at > now - ${AUDIT_RETENTION_MS} then return gone end
  redis.call('RPOP', KEYS[1])
end
return 0`);

export interface AuditPart {
  readonly store: AuditStore;
  /** Erases all events that are older than the retention time. */
  readonly prune: () => Promise<void>;
}

/** Older versions wrote no `actor`. A damaged event is left out, so that it hides no other one. */
function parseEvents(texts: readonly string[]): AuditEvent[] {
  return texts.flatMap((text) => {
    try {
      const event = { actor: null, ...(JSON.parse(text) as Omit<AuditEvent, "actor">) };
      return typeof event.at === "number" && typeof event.kind === "string" ? [event] : [];
    } catch {
      return [];
    }
  });
}

export function auditKeys(prefix: string): string[] {
  return [`${prefix}{audit}`];
}

export function createAuditPart(connection: RedisConnection, prefix: string): AuditPart {
  const keys = auditKeys(prefix);
  return {
    store: {
      append: async (event) => void (await connection.runScript(addEvent, keys, [JSON.stringify(event)])),
      recent: async (limit) =>
        parseEvents((await connection.runScript(recentEvents, keys, [limit])) as string[]),
      async page(limit, before) {
        const reply = await connection.runScript(pageOfEvents, keys, [limit, before ?? ""]);
        const [left, events] = reply as [number, string[]];
        const older = left - events.length;
        return { events: parseEvents(events), next: older > 0 ? String(older) : null };
      },
    },
    async prune() {
      while ((await connection.runScript(pruneEvents, keys)) === 0);
    },
  };
}
