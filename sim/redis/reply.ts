/** A reply of a server. `null` is the null reply. An error is thrown instead. */
export type Reply = null | number | string | Status | readonly Reply[];

/** A simple string, such as `OK`. */
export interface Status {
  readonly ok: string;
}

export const OK: Status = { ok: "OK" };

/** An error reply. Its message begins with the code of the error. */
export class ErrorReply extends Error {}

export const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

export function syntaxError(): ErrorReply {
  return new ErrorReply("ERR syntax error");
}

/** Reads an integer of 64 bits. */
export function readInteger(text: string | undefined): number {
  if (text !== undefined && /^-?(?:0|[1-9]\d{0,17})$/.test(text) && text !== "-0") return Number(text);
  throw new ErrorReply("ERR value is not an integer or out of range");
}

const FLOAT = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|0x[\da-f]+)$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Reads a score. Throws an error reply with `message` for any other text. */
export function readFloat(
  text: string | undefined,
  message: string = "ERR value is not a valid float",
): number {
  const infinite = INFINITE.exec(text ?? "");
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  if (text !== undefined && FLOAT.test(text)) return Number(text);
  throw new ErrorReply(message);
}
