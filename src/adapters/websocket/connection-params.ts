import { readBearer } from "../../core/bearer.ts";

/** Returns the token in the parameters that a client sends in its first message. `null` when they hold none. */
export type ParamsReader = (params: Readonly<Record<string, unknown>>) => string | null;

/**
 * Reads `authorization: "Bearer …"` or `token: "…"`, at the top or in `headers`. These are the names that clients of
 * GraphQL and of tRPC use. Names are compared without case.
 */
export function readConnectionParams(params: Readonly<Record<string, unknown>>): string | null {
  for (const source of [params, params["headers"]]) {
    for (const [name, value] of Object.entries(Object(source) as Record<string, unknown>)) {
      if (typeof value !== "string") continue;
      const lower = name.toLowerCase();
      if (lower === "token") return value;
      if (lower !== "authorization") continue;
      const presented = readBearer([value]);
      return presented.status === "token" ? presented.token : null;
    }
  }
  return null;
}

/**
 * Reads the token in one kind of JSON message. `matches` says whether a message is of that kind, and `member` names its
 * parameters. The marker spares the parser all other messages.
 */
export function readTokenMessage(
  text: string,
  marker: string,
  member: string,
  matches: (message: Readonly<Record<string, unknown>>) => boolean,
  read: ParamsReader,
): string | null {
  if (!text.includes(marker)) return null;
  const message = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const params: unknown = message[member];
  if (!matches(message) || typeof params !== "object" || params === null) return null;
  return read(params as Readonly<Record<string, unknown>>);
}
