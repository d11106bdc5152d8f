import { hash } from "node:crypto";

/** A Lua script that the server runs atomically. Its variable `now` is the store's time, epoch ms. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly writes: boolean;
}

/** The store's time is the first argument, or the server's time when that is empty. */
const NOW = `local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

export function defineRead(body: string): Script {
  return { lua: NOW + body, sha: hash("sha1", NOW + body), writes: false };
}

export function defineWrite(body: string): Script {
  return { ...defineRead(body), writes: true };
}
