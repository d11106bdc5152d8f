/** Replaces members of the JSON object in `json`. `undefined` removes a member. */
export function replaceIn(json: Buffer, members: Readonly<Record<string, unknown>>): Buffer {
  const object = JSON.parse(json.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...object, ...members }));
}

/** Appends a member, in exactly this encoding, to the JSON object in `json`. */
export function withMember(json: Buffer, member: string | Buffer): Buffer {
  return Buffer.concat([
    json.subarray(0, -1),
    Buffer.from(","),
    Buffer.from(member as string),
    Buffer.from("}"),
  ]);
}

interface OddBytes {
  readonly name: string;
  readonly change: (json: Buffer) => Buffer;
}

const deep = (open: string, close: string) => `"deep":${open.repeat(5000)}0${close.repeat(5000)}`;
const inString = (...bytes: number[]) => Buffer.from([...Buffer.from('"x":"'), ...bytes, 0x22]);

/** Encodings of a JSON object that two parsers could read differently, or that harm a parser. */
export const oddBytes: readonly OddBytes[] = [
  { name: "§2.6 UTF-16, little-endian", change: (json) => Buffer.from(json.toString(), "utf16le") },
  { name: "§2.6 UTF-16, big-endian", change: (json) => Buffer.from(json.toString(), "utf16le").swap16() },
  { name: "§2.6 byte order mark", change: (json) => Buffer.from(`\ufeff${json.toString()}`) },
  { name: "§3.7 a byte that is no UTF-8", change: (json) => withMember(json, inString(0xff)) },
  { name: "§3.7 an overlong quote", change: (json) => withMember(json, inString(0xc0, 0xa2)) },
  { name: "§3.7 an overlong NUL", change: (json) => withMember(json, inString(0xc0, 0x80)) },
  { name: "§3.7 a surrogate in UTF-8", change: (json) => withMember(json, inString(0xed, 0xa0, 0x80)) },
  { name: "§3.7 a character cut short", change: (json) => withMember(json, inString(0xe2, 0x82)) },
  {
    name: "§3.7 a code point past the last",
    change: (json) => withMember(json, inString(0xf4, 0x90, 0x80, 0x80)),
  },
  { name: "§3.7 half a surrogate pair", change: (json) => withMember(json, String.raw`"x":"\ud800"`) },
  { name: "§2.6 a member twice", change: (json) => withMember(json, '"x":1,"x":1') },
  { name: "§2.6 a member twice, escaped", change: (json) => withMember(json, String.raw`"x":1,"\u0078":2`) },
  { name: "§2.6 a member twice, deep down", change: (json) => withMember(json, '"x":[{"y":{"z":1,"z":2}}]') },
  { name: "§3.10 __proto__", change: (json) => withMember(json, '"__proto__":{"admin":true}') },
  {
    name: "§3.10 __proto__, escaped",
    change: (json) => withMember(json, String.raw`"x":[{"\u005f_proto__":1}]`),
  },
  { name: "§2.9 5,000 arrays deep", change: (json) => withMember(json, deep("[", "]")) },
  { name: "§2.9 5,000 objects deep", change: (json) => withMember(json, deep('{"a":', "}")) },
  { name: "§2.6 an array around it", change: (json) => Buffer.from(`[${json.toString()}]`) },
  { name: "§2.6 a string around it", change: (json) => Buffer.from(JSON.stringify(json.toString())) },
  { name: "§2.6 something after it", change: (json) => Buffer.from(`${json.toString()}{}`) },
  { name: "§2.6 NUL after it", change: (json) => Buffer.from(`${json.toString()}\0`) },
  { name: "§2.6 cut short", change: (json) => json.subarray(0, -1) },
  { name: "§2.6 a comment", change: (json) => Buffer.from(`/**/${json.toString()}`) },
  { name: "§2.6 a comma too many", change: (json) => Buffer.from(`${json.toString().slice(0, -1)},}`) },
  { name: "§2.6 NaN", change: (json) => withMember(json, '"x":NaN') },
  { name: "§2.6 nothing", change: () => Buffer.alloc(0) },
];
