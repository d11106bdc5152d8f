import type { Reply } from "./reply.ts";

/** Matches a text that has the same characters in UTF-8 and in bytes. */
const ASCII = /^[\0-\x7f]*$/;

/** The bytes of a text in UTF-8, one in each character, as the servers hold them. */
export function toBytes(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** The text of bytes in UTF-8. */
export function fromBytes(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** A reply as the client of the package gives it: a simple string is a text. */
export function toClientReply(reply: Reply): unknown {
  if (typeof reply === "string") return fromBytes(reply);
  if (reply === null || typeof reply === "number") return reply;
  return "ok" in reply ? fromBytes(reply.ok) : reply.map(toClientReply);
}
