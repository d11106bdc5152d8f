import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assembleSipHash, KEY_AT, MESSAGE_AT, OUTPUT_AT } from "../../src/core/siphash-module.ts";

function startSipHash(key: Uint8Array): (message: Uint8Array) => string {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: {
      Module: new (code: Uint8Array) => object;
      Instance: new (module: object) => {
        exports: { memory: { buffer: ArrayBuffer }; hash: (length: number) => void };
      };
    };
  };
  const { memory, hash } = new WebAssembly.Instance(new WebAssembly.Module(assembleSipHash(1))).exports;
  const bytes = Buffer.from(memory.buffer);
  bytes.set(key, KEY_AT);
  return (message) => {
    bytes.set(message, MESSAGE_AT);
    hash(message.length);
    return bytes.toString("hex", OUTPUT_AT, OUTPUT_AT + 16);
  };
}

/** SipHash-2-4-128 as its paper defines it, on whole numbers of any size. */
function sipHashByDefinition(key: Buffer, message: Buffer): string {
  const rotate = (value: bigint, bits: bigint) => BigInt.asUintN(64, value << bits) | (value >> (64n - bits));
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
  let a = k0 ^ 0x736f6d6570736575n;
  let b = k1 ^ 0x646f72616e646f6dn ^ 0xeen;
  let c = k0 ^ 0x6c7967656e657261n;
  let d = k1 ^ 0x7465646279746573n;
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      a = BigInt.asUintN(64, a + b);
      b = rotate(b, 13n) ^ a;
      a = rotate(a, 32n);
      c = BigInt.asUintN(64, c + d);
      d = rotate(d, 16n) ^ c;
      a = BigInt.asUintN(64, a + d);
      d = rotate(d, 21n) ^ a;
      c = BigInt.asUintN(64, c + b);
      b = rotate(b, 17n) ^ c;
      c = rotate(c, 32n);
    }
  };
  const rest = message.length % 8;
  const last = Buffer.alloc(8);
  message.copy(last, 0, message.length - rest);
  last[7] = message.length % 256;
  const padded = Buffer.concat([message.subarray(0, message.length - rest), last]);
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    d ^= word;
    rounds(2);
    a ^= word;
  }
  const result = Buffer.alloc(16);
  c ^= 0xeen;
  rounds(4);
  result.writeBigUInt64LE(a ^ b ^ c ^ d, 0);
  b ^= 0xddn;
  rounds(4);
  result.writeBigUInt64LE(a ^ b ^ c ^ d, 8);
  return result.toString("hex");
}

/** The vectors of the reference implementation, by the length of the message: the bytes 0, 1, 2, … */
const vectors = {
  0: "a3817f04ba25a8e66df67214c7550293",
  1: "da87c1d86b99af44347659119b22fc45",
  2: "8177228da4a45dc7fca38bdef60affe4",
  3: "9c70b60c5267a94e5f33b6b02985ed51",
  4: "f88164c12d9c8faf7d0f6e7c7bcd5579",
  5: "1368875980776f8854527a07690e9627",
  6: "14eeca338b208613485ea0308fd7a15e",
  7: "a1f1ebbed8dbc153c0b84aa61ff08239",
  8: "3b62a9ba6258f5610f83e264f31497b4",
  15: "5493e99933b0a8117e08ec0f97cfc3d9",
  63: "5150d1772f50834a503e069a973fbd7c",
};

test("the assembled module gives the vectors of the reference implementation", () => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
  const sipHash = startSipHash(bytes.subarray(0, 16));
  for (const [length, expected] of Object.entries(vectors)) {
    assert.equal(sipHash(bytes.subarray(0, Number(length))), expected, `length ${length}`);
  }
});

test("the assembled module computes what the definition says, for keys and messages of any length", () => {
  const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const messages = fc.array(fc.uint8Array({ maxLength: 700 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(key, messages, (secret, all) => {
      const sipHash = startSipHash(secret);
      // A shorter message follows a longer one in the same memory, and the rest of the longer one must not count.
      for (const message of all) {
        assert.equal(sipHash(message), sipHashByDefinition(Buffer.from(secret), Buffer.from(message)));
      }
    }),
    { numRuns: 60 },
  );
});
