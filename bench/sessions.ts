import type { Store } from "../src/stores/store.ts";

export const SESSIONS = 1000;
export const DIGEST: string = "d".repeat(43);
export const SEALED: string = "s".repeat(160);
export const FACTS: string = JSON.stringify({
  scopes: ["orders:read", "orders:write"],
  device: "x".repeat(150),
});
export const HOUR_MS = 3_600_000;

/**
 * Creates the sessions, and returns a function that rotates them in turn. `rotateOn` is another store on the same data.
 * Processes that share the data need different prefixes.
 */
export async function createSessions(
  store: Store,
  {
    prefix = "session",
    count = SESSIONS,
    rotateOn = () => store,
  }: { prefix?: string; count?: number; rotateOn?: () => Store } = {},
): Promise<() => Promise<void>> {
  const authAt = await store.now();
  const absoluteExpiresAt = authAt + 24 * HOUR_MS;
  const usual = {
    authAt,
    absoluteExpiresAt,
    facts: FACTS,
    mac: DIGEST,
    currentDigest: DIGEST,
    idleMs: HOUR_MS,
    mark: authAt,
  };
  const ids = Array.from({ length: count }, (_, i) => ({ id: `${prefix}-${i}`, subject: `subject-${i}` }));
  await Promise.all(ids.map((names) => store.sessions.create({ ...usual, ...names })));
  const generations = Array.from({ length: count }, () => 1);
  let turn = 0;
  return async () => {
    const i = turn++ % count;
    const sessionId = `${prefix}-${i}`;
    const generation = generations[i] ?? 1;
    generations[i] = generation + 1;
    const { outcome } = await rotateOn().sessions.rotate({
      sessionId,
      generation,
      presentedDigest: DIGEST,
      successorDigest: DIGEST,
      sealedSuccessor: SEALED,
      issuedAt: authAt,
      expiresAt: authAt + HOUR_MS,
      lostAnswerMs: 24 * HOUR_MS,
      conflictMs: 30_000,
      onReuse: { kind: "session", id: sessionId, issuer: "https://id.example.com", until: authAt + HOUR_MS },
    });
    if (outcome !== "rotated") throw new Error(outcome);
  };
}
