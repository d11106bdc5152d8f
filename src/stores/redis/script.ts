import { hash } from "node:crypto";
import { rejectNewer } from "./format.ts";

/** The text of a script and its SHA-1, by which the server knows it. */
export interface ScriptText {
  readonly lua: string;
  readonly sha: string;
}

/** A Lua script that the server runs atomically. Its variable `now` is the store's time, epoch ms. */
export interface Script extends ScriptText {
  readonly writes: boolean;
  /** The script that refuses a newer format. Its last key is the manifest. `null` when the script itself refuses it. */
  readonly fenced: ScriptText | null;
}

/** The store's time is the first argument, or the server's time when that is empty. */
const NOW = `local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** The scripts count their own keys, so the manifest is taken off the list. */
const FENCE = `do
local format = redis.call('HGET', table.remove(KEYS), 'format')
${rejectNewer("format")}end
`;

export function defineRead(body: string): Script {
  return { ...toText(NOW + body), writes: false, fenced: null };
}

export function defineWrite(body: string): Script {
  return { ...defineRead(body), writes: true, fenced: toText(FENCE + NOW + body) };
}

function toText(lua: string): ScriptText {
  return { lua, sha: hash("sha1", lua) };
}
