import type { Facts } from "./facts.ts";
import type { RunHistory } from "./run-history.ts";
import type { SocketRecord } from "./socket-history.ts";
import type { Violation } from "./violation.ts";

/** The messages that wait on one connection have at most this size, and the last one may pass it (docs/connections.md). */
const MAX_WAITING_BYTES = 262_144;
const MAX_MESSAGE_BYTES = 65_536;
/** Handshakes that are in progress at the end count as well. */
const MAX_HANDSHAKES = 2;

/** The open connections of each user stay within the limit, which refuses nobody below it, and all are counted. */
export function checkSocketLimits(
  sockets: readonly SocketRecord[],
  facts: Facts,
  { plan, history }: RunHistory,
): Violation[] {
  const { maxPerSubject } = plan.sockets;
  const check = "limits hold";
  const place = (guard: unknown, life: unknown, token: string) =>
    `${String(guard)} ${String(life)} ${facts.tokens.get(token)?.user}`;
  const spans = Map.groupBy(
    sockets.flatMap(({ guard, life, tokens, end }) => {
      const first = tokens[0];
      if (first === undefined) return [];
      return [{ key: place(guard, life, first.token), from: first.from, until: end?.at ?? Infinity }];
    }),
    ({ key }) => key,
  );
  const openAt = (key: string, at: number) =>
    (spans.get(key) ?? []).filter(({ from, until }) => from <= at && at < until).length;
  const crowded = [...spans].flatMap(([key, opened]): Violation[] => {
    const over = opened.find(({ from }) => openAt(key, from) > maxPerSubject);
    if (over === undefined) return [];
    const message = `${openAt(key, over.from)} connections of one user were open, and ${maxPerSubject} are allowed: ${key}`;
    return [{ check, at: over.from, process: key.split(" ")[0] ?? null, message }];
  });
  const refused = facts.operations.flatMap(({ operation, call, answer, ended, process }): Violation[] => {
    if (operation !== "verdict" || answer?.["status"] !== "limited") return [];
    // A process that was frozen works off its backlog in one moment, so a connection may end in that of the refusal.
    const key = place(call["guard"], call["life"], call["token"] as string);
    const open = (spans.get(key) ?? []).filter(({ from, until }) => from <= ended && ended <= until).length;
    if (open >= maxPerSubject) return [];
    const message = `a connection was refused with ${open} of ${maxPerSubject} open`;
    return [{ check, at: ended, process, message }];
  });
  const full = sockets.flatMap(({ name, end, process }): Violation[] => {
    const bytes = Number(end?.data["waitingBytes"] ?? 0);
    if (end === null || bytes <= MAX_WAITING_BYTES + MAX_MESSAGE_BYTES) return [];
    return [{ check, at: end.at, process, message: `${bytes} bytes waited on ${name}` }];
  });
  const counted = history.flatMap(({ kind, at, data }): Violation[] => {
    const extra = Number(data["counted"]) - Number(data["open"]);
    if (kind !== "sockets" || (extra >= 0 && extra <= MAX_HANDSHAKES)) return [];
    const message = `${String(data["counted"])} connections are counted, and ${String(data["open"])} are open`;
    return [{ check: "connections are counted", at, process: String(data["guard"]), message }];
  });
  return [...crowded, ...refused, ...full, ...counted];
}
