/*
 * `chainDigest` of ../../core/revocation.ts in Lua; a property test compares the two. Redis offers only SHA-1, so SHA-256
 * (FIPS 180-4) is computed here, which takes the server about a third of a millisecond for an entry.
 */

const PRIMES = firstPrimes(64);
/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const ROUND_CONSTANTS = PRIMES.map((prime) => fraction(Math.cbrt(prime))).join();
/** The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
const INITIAL_STATE = PRIMES.slice(0, 8)
  .map((prime) => fraction(Math.sqrt(prime)))
  .join();

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes;
}

function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32);
}

/**
 * Defines the Lua function `chain_digest(previous, seq, at, rest)`. The argument `rest` is the text that `digestRest`
 * returns.
 */
export const CHAIN_DIGEST: string = `
local band, bxor, rshift, ror, tobit = bit.band, bit.bxor, bit.rshift, bit.ror, bit.tobit
local K = {${ROUND_CONSTANTS}}
local function sha256(text)
  local bits = struct.pack('>I4I4', 0, #text * 8)
  text = text .. '\\128' .. string.rep('\\0', (55 - #text) % 64) .. bits
  local h1, h2, h3, h4, h5, h6, h7, h8 = ${INITIAL_STATE}
  for start = 1, #text, 64 do
    local w = {struct.unpack('>${"I4".repeat(16)}', text, start)}
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      local small = bxor(ror(x, 7), ror(x, 18), rshift(x, 3)) + bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
      w[i] = tobit(w[i - 16] + w[i - 7] + small)
    end
    local a, b, c, d, e, f, g, h = h1, h2, h3, h4, h5, h6, h7, h8
    for i = 1, 64 do
      local t = h + bxor(ror(e, 6), ror(e, 11), ror(e, 25)) + bxor(g, band(e, bxor(f, g))) + K[i] + w[i]
      local u = bxor(ror(a, 2), ror(a, 13), ror(a, 22)) + bxor(band(a, bxor(b, c)), band(b, c))
      h, g, f, e, d, c, b, a = g, f, e, tobit(d + t), c, b, a, tobit(t + u)
    end
    h1, h2, h3, h4 = tobit(h1 + a), tobit(h2 + b), tobit(h3 + c), tobit(h4 + d)
    h5, h6, h7, h8 = tobit(h5 + e), tobit(h6 + f), tobit(h7 + g), tobit(h8 + h)
  end
  return struct.pack('>${"i4".repeat(8)}', h1, h2, h3, h4, h5, h6, h7, h8)
end
local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
local function base64url(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local x, y, z = string.byte(bytes, i, i + 2)
    local n = x * 65536 + (y or 0) * 256 + (z or 0)
    for k = 0, z and 3 or y and 2 or 1 do
      local at = math.floor(n / 2 ^ (18 - 6 * k)) % 64 + 1
      out[#out + 1] = string.sub(ALPHABET, at, at)
    end
  end
  return table.concat(out)
end
local function chain_digest(previous, seq, at, rest)
  return base64url(sha256(string.format('["%s",%.0f,%.0f,', previous, seq, at) .. rest))
end
`;
