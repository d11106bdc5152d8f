/*
 * SipHash-2-4 with 128 bits of output (https://www.aumasson.jp/siphash/siphash.pdf, reference code at
 * https://github.com/veorq/SipHash) as a WebAssembly module. JavaScript has no fast arithmetic of 64 bits. The functions
 * below assemble the module, so that its source is here and the package needs no compiler.
 */

type Code = readonly number[];

/** Where the module's memory holds the result, the key and the message. */
export const OUTPUT_AT = 0;
export const KEY_AT = 16;
export const MESSAGE_AT = 64;

/** The instructions (WebAssembly Core Specification §5.4) that the module uses. */
const op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  br: 0x0c,
  brIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  /** Loads and stores name an alignment, which is only a hint, and an offset. */
  i64Load: [0x29, 0x00, 0x00],
  i64Store: [0x37, 0x00],
  i32Const: 0x41,
  i64Const: 0x42,
  i32GeU: [0x4f],
  i32Add: [0x6a],
  i32And: [0x71],
  i32Shl: [0x74],
  i64Add: [0x7c],
  i64Sub: [0x7d],
  i64And: [0x83],
  i64Or: [0x84],
  i64Xor: [0x85],
  i64Shl: [0x86],
  i64Rotl: [0x89],
  i64ExtendI32U: [0xad],
} as const;

/** The parameter of the function, and its variables. The numbers are their places. */
const [length, v0, v1, v2, v3, k0, k1, word, at, end] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
const I32 = 0x7f;
const I64 = 0x7e;

/** LEB128, for signed integers of up to 64 bits. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const isLast = rest >> 7n === ((low & 0x40) === 0 ? 0n : -1n);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

/** LEB128, for unsigned integers. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

const get = (local: number): Code => [op.localGet, local];
const set = (local: number, ...value: Code[]): Code => [...value.flat(), op.localSet, local];
const i32 = (value: number): Code => [op.i32Const, ...signed(BigInt(value))];
const i64 = (value: bigint): Code => [op.i64Const, ...signed(BigInt.asIntN(64, value))];
const xor = (local: number, ...value: Code[]): Code => set(local, get(local), ...value, op.i64Xor);
const add = (local: number, other: number): Code => set(local, get(local), get(other), op.i64Add);
const rotate = (local: number, bits: bigint): Code => set(local, get(local), i64(bits), op.i64Rotl);

/** One SipRound. */
const round: Code = [
  add(v0, v1),
  rotate(v1, 13n),
  xor(v1, get(v0)),
  rotate(v0, 32n),
  add(v2, v3),
  rotate(v3, 16n),
  xor(v3, get(v2)),
  add(v0, v3),
  rotate(v3, 21n),
  xor(v3, get(v0)),
  add(v2, v1),
  rotate(v1, 17n),
  xor(v1, get(v2)),
  rotate(v2, 32n),
].flat();

const compress: Code = [xor(v3, get(word)), round, round, xor(v0, get(word))].flat();

/** Four rounds, and the storage of half of the result. */
function finish(offset: number): Code {
  const result = [get(v0), get(v1), op.i64Xor, get(v2), op.i64Xor, get(v3), op.i64Xor].flat();
  return [...round, ...round, ...round, ...round, ...i32(OUTPUT_AT), ...result, ...op.i64Store, offset];
}

/** Hashes the message of `length` bytes in the memory. */
const body: Code = [
  set(k0, i32(KEY_AT), op.i64Load),
  set(k1, i32(KEY_AT + 8), op.i64Load),
  set(v0, get(k0), i64(0x736f6d6570736575n), op.i64Xor),
  // 0xee and 0xdd distinguish the 128-bit output from the 64-bit one.
  set(v1, get(k1), i64(0x646f72616e646f6dn ^ 0xeen), op.i64Xor),
  set(v2, get(k0), i64(0x6c7967656e657261n), op.i64Xor),
  set(v3, get(k1), i64(0x7465646279746573n), op.i64Xor),
  set(at, i32(MESSAGE_AT)),
  set(end, get(length), i32(-8), op.i32And, i32(MESSAGE_AT), op.i32Add),
  op.block,
  op.loop,
  [...get(at), ...get(end), ...op.i32GeU, op.brIf, 1],
  set(word, get(at), op.i64Load),
  compress,
  set(at, get(at), i32(8), op.i32Add),
  [op.br, 0],
  op.end,
  op.end,
  // The last word: the bytes that are left, and the length in its highest byte.
  set(word, get(length), i32(7), op.i32And, i32(3), op.i32Shl, op.i64ExtendI32U),
  set(word, i64(1n), get(word), op.i64Shl, i64(1n), op.i64Sub, get(at), op.i64Load, op.i64And),
  set(word, get(word), get(length), op.i64ExtendI32U, i64(56n), op.i64Shl, op.i64Or),
  compress,
  xor(v2, i64(0xeen)),
  finish(0),
  xor(v1, i64(0xddn)),
  finish(8),
  op.end,
].flat();

function vector(...items: Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

/** A text in ASCII. */
function name(text: string): Code {
  return sized(Array.from(text, (letter) => letter.charCodeAt(0)));
}

/**
 * Assembles the module. It exports its `memory`, of so many pages of 64 KiB, and `hash`, which takes the length of the
 * message.
 */
export function assembleSipHash(pages: number): Uint8Array<ArrayBuffer> {
  const locals = vector([7, I64], [2, I32]);
  const section = (id: number, content: Code): Code => [id, ...sized(content)];
  const [typeId, functionId, memoryId, exportId, codeId] = [1, 3, 5, 7, 10];
  const [isMemory, isFunction] = [0x02, 0x00];
  return Uint8Array.from(
    [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(typeId, vector([0x60, ...vector([I32]), ...vector()])),
      section(functionId, vector([0])),
      section(memoryId, vector([0x01, ...unsigned(pages), ...unsigned(pages)])),
      section(exportId, vector([...name("memory"), isMemory, 0], [...name("hash"), isFunction, 0])),
      section(codeId, vector(sized([...locals, ...body]))),
    ].flat(),
  );
}
