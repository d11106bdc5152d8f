/** The odd primes up to 701. The flawed generator used all of them for keys of 2048 bits and more. */
const PRIMES = oddPrimes(701);

/** Rounds of Fermat's method. It factors the keys of known broken generators in the first few (CVE-2022-26320). */
const FERMAT_ROUNDS = 64;

/** 256 random bytes have about 160 different values, and by chance never fewer than this. */
const MIN_DIFFERENT_BYTES = 64;

/** The remainders of squares. One in 470 other numbers has such remainders for all three moduli, and needs a root. */
const SQUARE_REMAINDERS = [256, 6_435, 7 * 17 * 19].map((modulus) => ({
  modulus: BigInt(modulus),
  remainders: new Set(Array.from({ length: modulus }, (_, i) => (i * i) % modulus)),
}));

/**
 * Finds a weakness that makes an RSA modulus easy to factor. The text completes "has a modulus …". `null` when the
 * modulus shows none. The check takes 0.1 ms, and 0.3 ms for 8192 bits. It cannot recognize the keys of a generator with
 * too few seeds (Debian, CVE-2008-0166), which only a list of them can.
 */
export function findModulusWeakness(bytes: Buffer): string | null {
  if (new Set(bytes).size < MIN_DIFFERENT_BYTES) return "of a repeated pattern";
  const n = BigInt(`0x${bytes.toString("hex")}`);
  const residues = PRIMES.map((prime) => Number(n % BigInt(prime)));
  if (n % 2n === 0n || residues.includes(0)) return "with a small prime factor";
  if (residues.every((residue, i) => isPowerOf65537(residue, PRIMES[i] as number))) {
    return "of the flawed generator of CVE-2017-15361 (ROCA)";
  }
  return hasCloseFactors(n) ? "whose two primes are close to each other" : null;
}

function oddPrimes(max: number): readonly number[] {
  const primes: number[] = [];
  for (let n = 3; n <= max; n += 2) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}

/** The flawed generator's primes are powers of 65537 modulo each small prime, and so is their product. */
function isPowerOf65537(residue: number, prime: number): boolean {
  let power = 1;
  do {
    if (power === residue) return true;
    power = (power * 65_537) % prime;
  } while (power !== 1);
  return false;
}

/** Close factors are a ± b with a just over √n, because n = (a + b)(a − b) = a² − b². A square n has b = 0. */
function hasCloseFactors(n: bigint): boolean {
  let a = squareRoot(n);
  let rest = a * a - n;
  for (let round = 0; round < FERMAT_ROUNDS; round++) {
    if (isSquare(rest)) return true;
    rest += 2n * a + 1n;
    a++;
  }
  return false;
}

function isSquare(n: bigint): boolean {
  const mayBe = SQUARE_REMAINDERS.every(({ modulus, remainders }) => remainders.has(Number(n % modulus)));
  return mayBe && squareRoot(n) ** 2n === n;
}

/** The square root, rounded down, by Newton's method from above. */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let root = 1n << BigInt((n.toString(16).length * 4 + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
