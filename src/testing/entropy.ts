import type { Entropy } from "../core/entropy.ts";
import { seededRandom } from "./random.ts";

/**
 * Returns entropy that anybody can predict: the same seed gives the same bytes. Pass it as an `entropy` option, so that
 * two runs of a test issue the same session ids, tokens and EdDSA keys.
 *
 * @example
 * ```ts
 * import { createIssuer } from "holdfast/issuer";
 * import { memoryStore } from "holdfast/memory";
 * import { FakeClock, seededEntropy } from "holdfast/testing";
 *
 * const [clock, entropy] = [new FakeClock(), seededEntropy(7)];
 * const issuer = createIssuer({
 *   url: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   store: memoryStore({ clock, entropy }),
 *   secret: "only for a test: 32 characters or more",
 *   algorithm: "EdDSA",
 *   clock,
 *   entropy,
 * });
 * ```
 */
export function seededEntropy(seed: number): Entropy {
  const random = seededRandom(seed);
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  return {
    bytes,
    uuid() {
      const all = bytes(16);
      // The version and the variant (RFC 9562 §5.4).
      all.writeUInt8((all.readUInt8(6) & 0x0f) | 0x40, 6);
      all.writeUInt8((all.readUInt8(8) & 0x3f) | 0x80, 8);
      return all.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    },
  };
}
