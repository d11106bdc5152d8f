import { parseRecord } from "../damaged-record.ts";
import type { EndReason, SessionFacts, SessionRecord } from "../session-store.ts";

/*
 * A session is one string. Its head has fixed places, so a script reads and replaces single fields without parsing the
 * rest. Numbers are decimal with leading zeros, and 0 stands for `null`. Lengths count bytes. After the head follow the
 * reason of the end, the current digest, the previous digest, the sealed successor and the JSON of the facts.
 */

/** The first byte of a session. A process that finds another one refuses the session with an error. */
export const SESSION_FORMAT = "2";
/** The first byte of a string that stands for a session which a cut-off reached before it was created. */
export const CUT_FORMAT = "C";

/** The numbers of the head in their order, each with its count of digits. */
const PLACES = [
  ["generation", 10],
  ["rotatedAt", 13],
  ["idleMs", 13],
  ["idleExpiresAt", 13],
  ["absoluteExpiresAt", 13],
  ["lostAnswerEndsAt", 13],
  ["arrivedAt", 13],
  ["previousArrivedAt", 13],
  ["rolledBackAt", 13],
  ["endedAt", 13],
  ["issuedAtS", 10],
  ["repeatStreak", 4],
  ["wasRepeated", 1],
  ["reasonLength", 2],
  ["currentLength", 3],
  ["previousLength", 3],
  ["sealedLength", 5],
] as const;

type Place = (typeof PLACES)[number][0];

interface Span {
  /** Index of the first character, counted from 0. */
  readonly start: number;
  readonly end: number;
}

const spans = {} as Record<Place, Span>;
let length = SESSION_FORMAT.length;
for (const [name, digits] of PLACES) {
  spans[name] = { start: length, end: length + digits };
  length += digits;
}

/** Length of the head. */
export const HEAD_LENGTH: number = length;

/**
 * Returns the arguments of Lua's `string.sub` for the places from one to another. `null` stands for the beginning or the
 * end of the string.
 */
export function luaSpan(from: Place | null, to: Place | null = from): string {
  return `${from === null ? 1 : spans[from].start + 1}, ${to === null ? -1 : spans[to].end}`;
}

/** Returns the directive of Lua's `string.format` for a place, or for all places from one to another. */
export function luaFormat(from: Place, to: Place = from): string {
  const first = PLACES.findIndex(([name]) => name === from);
  const last = PLACES.findIndex(([name]) => name === to);
  return PLACES.slice(first, last + 1)
    .map(([, digits]) => `%0${digits}d`)
    .join("");
}

/** The format of Lua's `struct.unpack` for the first byte and all places of the head, as texts. */
export const luaFields: string = `c${SESSION_FORMAT.length}${PLACES.map(([, digits]) => `c${digits}`).join("")}`;

/** Writes a number as it stands in the place. `null` stands for 0. */
export function formatPlace(name: Place, value: number | boolean | null): string {
  const { start, end } = spans[name];
  const digits = end - start;
  return String(Math.min(Number(value ?? 0), 10 ** digits - 1)).padStart(digits, "0");
}

/** Writes a time in 13 digits. */
export function formatTime(value: number | null): string {
  return formatPlace("rotatedAt", value);
}

export function formatSession(record: SessionRecord): string {
  const { id, subject, authAt, absoluteExpiresAt, facts, mac } = record;
  const fixed: SessionFacts = { id, subject, authAt, absoluteExpiresAt, facts, mac };
  const { endReason, currentDigest, previousDigest, sealedSuccessor } = record;
  const texts = [endReason ?? "", currentDigest, previousDigest ?? "", sealedSuccessor ?? ""];
  const [reasonLength = 0, currentLength = 0, previousLength = 0, sealedLength = 0] = texts.map((text) =>
    Buffer.byteLength(text),
  );
  const lengths = { reasonLength, currentLength, previousLength, sealedLength };
  const numbers: Readonly<Record<Place, number | boolean | null>> = { ...record, ...lengths };
  const head = PLACES.map(([name]) => formatPlace(name, numbers[name]));
  return [SESSION_FORMAT, ...head, ...texts, JSON.stringify(fixed)].join("");
}

/**
 * `now` is the store's time: a sealed successor is not returned after `lostAnswerEndsAt`. Throws `store_corrupt`, which
 * names the session by its `id`, when the facts cannot be read.
 */
export function parseSession(text: string, now: number, id: string): SessionRecord {
  const number = (place: Place) => Number(text.slice(spans[place].start, spans[place].end));
  const moment = (place: Place) => number(place) || null;
  const rest = Buffer.from(text.slice(HEAD_LENGTH));
  let at = 0;
  const take = (place: Place) => rest.toString("utf8", at, (at += number(place)));
  const endReason = take("reasonLength");
  const currentDigest = take("currentLength");
  const previousDigest = take("previousLength");
  const sealed = take("sealedLength");
  const lostAnswerEndsAt = moment("lostAnswerEndsAt");
  const mayRepeat = sealed !== "" && now < (lostAnswerEndsAt ?? 0);
  return {
    ...(parseRecord("Redis", `session ${id}`, rest.toString("utf8", at)) as SessionFacts),
    generation: number("generation"),
    currentDigest,
    previousDigest: previousDigest === "" ? null : previousDigest,
    sealedSuccessor: mayRepeat ? sealed : null,
    rotatedAt: number("rotatedAt"),
    lostAnswerEndsAt,
    arrivedAt: moment("arrivedAt"),
    previousArrivedAt: moment("previousArrivedAt"),
    rolledBackAt: moment("rolledBackAt"),
    issuedAtS: number("issuedAtS"),
    idleMs: number("idleMs"),
    idleExpiresAt: number("idleExpiresAt"),
    repeatStreak: number("repeatStreak"),
    wasRepeated: number("wasRepeated") === 1,
    endedAt: moment("endedAt"),
    endReason: endReason === "" ? null : (endReason as EndReason),
  };
}
