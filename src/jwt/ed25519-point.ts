const P = 2n ** 255n - 19n;
/** The d of the curve −x² + y² = 1 + dx²y² (RFC 8032 §5.1). */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

function modPow(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = base % P, e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) {
    if (e & 1n) result = (result * b) % P;
  }
  return result;
}

/**
 * Whether these 32 bytes are a canonical point of the curve whose order is not 1, 2, 4 or 8. OpenSSL accepts a point of
 * such a small order, but anyone can make signatures that the point verifies.
 */
export function isSafeEd25519Point(encoded: Buffer): boolean {
  const y = BigInt(`0x${Buffer.from(encoded.toReversed()).toString("hex")}`) & (2n ** 255n - 1n);
  if (y >= P) return false;
  const y2 = (y * y) % P;
  // x² = u / v has a root if u · v is a square.
  const u = y2 - 1n + P;
  const v = (D * y2 + 1n) % P;
  if (modPow(u * v, (P - 1n) / 2n) > 1n) return false;
  // Points of order 1 and 2 have y = ±1, points of order 4 have y = 0. The double of a point of order 8 has y = 0, so y² = −x².
  const small = y * (y2 - 1n) * (D * y2 * y2 + 2n * y2 - 1n);
  return small % P !== 0n;
}
