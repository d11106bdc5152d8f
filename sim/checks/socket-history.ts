import type { RecordedOperation, RunHistory } from "./run-history.ts";
import type { Facts } from "./facts.ts";

type Data = Readonly<Record<string, unknown>>;

/** Something that a server recorded about a socket. */
interface SocketEntry {
  readonly at: number;
  /** The place in the history. Entries of one millisecond differ in it. `Infinity` for the end of a connection. */
  readonly place: number;
  readonly data: Data;
}

/** A token that was in effect on a connection. */
export interface SocketToken {
  readonly token: string;
  readonly from: number;
  /** When another token replaced it or the connection ended. `Infinity` when the server crashed. */
  readonly until: number;
  /** The notices of its expiry, in the order of the history. */
  readonly notices: readonly SocketEntry[];
  /** What was known about the guard then. */
  readonly facts: Data;
}

/** One WebSocket at its server. */
export interface SocketRecord {
  readonly name: string;
  /** The process of the server. */
  readonly guard: string;
  readonly life: unknown;
  readonly process: string | null;
  /** When the server began to wait for a first token. `null` for a handshake with a token. */
  readonly expectedAt: number | null;
  readonly tokens: readonly SocketToken[];
  readonly presented: readonly SocketEntry[];
  readonly messages: readonly RecordedOperation[];
  /** `null` when the server did not close it. */
  readonly close: RecordedOperation | null;
  /** When it was over, or still open at the end of the run. `null` when the server crashed. */
  readonly end: SocketEntry | null;
}

interface MutableRecord {
  readonly first: SocketEntry & { readonly process: string | null };
  expectedAt: number | null;
  readonly tokens: SocketEntry[];
  readonly presented: SocketEntry[];
  readonly notices: SocketEntry[];
  readonly messages: RecordedOperation[];
  close: RecordedOperation | null;
  end: SocketEntry | null;
}

/** The sockets of a history, in the order in which the servers accepted them. */
export function socketsOf(
  { history }: RunHistory,
  { operations }: Pick<Facts, "operations">,
): SocketRecord[] {
  const records = new Map<string, MutableRecord>();
  const find = (entry: SocketEntry & { readonly process: string | null }) => {
    const name = entry.data["socket"] as string;
    const known = records.get(name) ?? {
      first: entry,
      expectedAt: null,
      tokens: [],
      presented: [],
      notices: [],
      messages: [],
      close: null,
      end: null,
    };
    records.set(name, known);
    return known;
  };
  for (const [place, { at, process, kind, data }] of history.entries()) {
    const entry = { at, place, process, data };
    if (kind === "socket expected") find(entry).expectedAt = at;
    else if (kind === "socket token") find(entry).tokens.push(entry);
    else if (kind === "socket presented") find(entry).presented.push(entry);
    else if (kind === "socket notice") find(entry).notices.push(entry);
    else if (kind === "socket gone") find(entry).end ??= entry;
    else if (kind === "sockets") {
      for (const name of (data["names"] as string).split(" ")) {
        const record = records.get(name);
        if (record !== undefined) record.end ??= entry;
      }
    }
  }
  for (const operation of operations) {
    const { operation: kind, call, process, began } = operation;
    const entry = { at: began, place: Infinity, process, data: call };
    if (kind === "message") find(entry).messages.push(operation);
    else if (kind === "close") find(entry).close ??= operation;
  }
  return [...records].map(([name, record]) => finish(name, record));
}

function finish(
  name: string,
  { first, tokens, notices, close, end, ...others }: MutableRecord,
): SocketRecord {
  const closedAt: SocketEntry | null =
    close === null ? end : { at: close.began, place: Infinity, data: close.call };
  return {
    name,
    guard: first.data["guard"] as string,
    life: first.data["life"],
    process: first.process,
    ...others,
    close,
    end: closedAt,
    tokens: tokens.map(({ at, place, data }, index) => {
      const next = tokens[index + 1] ?? closedAt;
      const token = data["token"] as string;
      const told = notices.filter(
        (notice) => place < notice.place && notice.place < (next?.place ?? Infinity),
      );
      return { token, from: at, until: next?.at ?? Infinity, notices: told, facts: next?.data ?? data };
    }),
  };
}
