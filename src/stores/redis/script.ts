import { hash } from "node:crypto";

/** Runs on the server, all or nothing as long as that lives. `now` is the store's time, epoch ms. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly writes: boolean;
}

/** The time is the server's, unless the first argument brings another. */
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
