/** Commands without keys, which no server of a cluster redirects. */
const KEYLESS: ReadonlySet<string> = new Set(["PING", "WAIT", "CONFIG", "TIME"]);
/** Commands whose arguments all are keys. */
const KEYS_ONLY: ReadonlySet<string> = new Set(["DEL", "EXISTS", "MGET"]);

/** The keys of a command. */
export function keysOf([name = "", ...args]: readonly string[]): readonly string[] {
  const upper = name.toUpperCase();
  if (KEYLESS.has(upper)) return [];
  if (KEYS_ONLY.has(upper)) return args;
  if (upper === "EVAL" || upper === "EVALSHA") return args.slice(2, 2 + Number(args[1]));
  if (upper !== "XREAD") return args.slice(0, 1);
  const streams = args.slice(args.findIndex((word) => word.toUpperCase() === "STREAMS") + 1);
  return streams.slice(0, streams.length / 2);
}
