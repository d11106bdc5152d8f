import type { IssuerState, State } from "../../src/dashboard/wire-state.ts";

/** The time of the well frame: 12:00:00 on a day in winter. */
export const AT: number = Date.UTC(2026, 0, 15, 12, 0, 0);
export const OWN = "https://auth.example";
export const PROVIDER = "https://id.example/realms/main";

const DAY = 86_400_000;
const well = { status: "ok", because: [] } as const;
const fine = { status: "ok", reason: null, effect: null, since: AT - DAY, lastOkAt: AT } as const;

const ownIssuer: IssuerState = {
  issuer: OWN,
  state: "ready",
  keys: { usable: true, kids: ["own-1", "own-2"], vanished: [], ageMs: null, limitMs: null, lastError: null },
  authority: null,
  revocations: {
    complete: true,
    ageMs: 400,
    limitMs: 60_000,
    entries: 1_234,
    gaps: 0,
    lastGapAt: null,
    lastError: null,
  },
  degraded: { mode: "deny", isDegraded: false, decisions: 0, limitMs: null },
};

const providerIssuer: IssuerState = {
  issuer: PROVIDER,
  state: "ready",
  keys: { usable: true, kids: ["provider-1"], vanished: [], ageMs: 240_000, limitMs: DAY, lastError: null },
  authority: {
    kind: "introspection",
    breaker: "closed",
    failingMs: null,
    retryAfterMs: 0,
    softTimeoutMs: 250,
    inFlight: 2,
    cause: null,
    lastError: null,
  },
  revocations: null,
  degraded: { mode: "cached", isDegraded: false, decisions: 1, limitMs: 900_000 },
};

/** A service with a provider that has traffic, and no fault. */
export const wellState: State = {
  headline: {
    status: "ok",
    text: "All well: every token gets an answer",
    advice: null,
    part: null,
    since: null,
    runbook: null,
  },
  outcomes: {
    login: { ...well, words: "answered" },
    refresh: { ...well, words: "answered" },
    ownTokens: { ...well, words: "yes or no" },
    providerTokens: { ...well, words: "yes or no" },
  },
  components: {
    store: { ...fine, detail: "takes writes" },
    keys: { ...fine, detail: "signs" },
    revocations: { ...fine, detail: "is complete" },
    guard: { ...fine, detail: "is ready" },
    clock: { ...fine, detail: "runs" },
    provider: { ...fine, detail: "answers" },
  },
  steps: [
    { name: "token", state: "ok", words: "tokens arrive", perS: 1_240, p50Ms: null, p99Ms: null },
    { name: "memory", state: "ok", words: "answers 90 % of them", perS: 1_200, p50Ms: 0.0009, p99Ms: 0.004 },
    {
      name: "verification",
      state: "ok",
      words: "signatures are checked",
      perS: 120,
      p50Ms: 0.11,
      p99Ms: 0.4,
    },
    { name: "shared", state: "ok", words: "knows 50 % of them", perS: 60, p50Ms: 1.2, p99Ms: 4.5 },
    { name: "authority", state: "ok", words: "answers", perS: 30, p50Ms: 21.5, p99Ms: 180 },
    { name: "degraded", state: "idle", words: "ready, not needed", perS: 0, p50Ms: null, p99Ms: null },
    {
      name: "decision",
      state: "ok",
      words: "every answer is definite",
      perS: 1_240,
      p50Ms: 0.0012,
      p99Ms: 2_500,
    },
  ],
  decisions: { valid: 1_200, degraded: 0, invalid: 39.5, forbidden: 0.25, unavailable: 0 },
  upstreams: [
    {
      id: "keys-own",
      kind: "keys",
      name: OWN,
      state: "ok",
      words: "current",
      breaker: null,
      age: null,
      lastError: null,
    },
    {
      id: "keys-provider",
      kind: "keys",
      name: PROVIDER,
      state: "ok",
      words: "current",
      breaker: null,
      age: { ageMs: 240_000, limitMs: DAY, words: "after 24 h without a fetch, its tokens answer 503" },
      lastError: null,
    },
    {
      id: "authority",
      kind: "authority",
      name: PROVIDER,
      state: "ok",
      words: "answers",
      breaker: "closed",
      age: null,
      lastError: null,
    },
    {
      id: "revocations",
      kind: "revocations",
      name: OWN,
      state: "ok",
      words: "complete",
      breaker: null,
      age: { ageMs: 30_000, limitMs: 60_000, words: "after 1 min without a read, its tokens answer 503" },
      lastError: null,
    },
    {
      id: "store",
      kind: "store",
      name: "redis 127.0.0.1:6379",
      state: "ok",
      words: "takes writes",
      breaker: null,
      age: null,
      lastError: null,
    },
  ],
  issuers: [ownIssuer, providerIssuer],
  signingKeys: [
    {
      kid: "own-2",
      algorithm: "ES256",
      state: "next",
      createdAt: AT - DAY,
      activatedAt: null,
      retiredAt: null,
    },
    {
      kid: "own-1",
      algorithm: "ES256",
      state: "signing",
      createdAt: AT - 30 * DAY,
      activatedAt: AT - 29 * DAY,
      retiredAt: null,
    },
    {
      kid: "own-0",
      algorithm: "EdDSA",
      state: "retired",
      createdAt: AT - 60 * DAY,
      activatedAt: AT - 59 * DAY,
      retiredAt: AT - 30 * DAY,
    },
  ],
  store: {
    description: "redis 127.0.0.1:6379",
    up: true,
    problem: null,
    lastError: null,
    bytes: 3_500_000,
    diskFreeBytes: 42_000_000_000,
    lastBackupAt: AT - 6 * 3_600_000,
    clockDifferenceMs: 0,
    commands: [
      { command: "sessions", perS: 12.5, failedPerS: 0, p50Ms: 0.8, p99Ms: 4.25 },
      { command: "users", perS: 1, failedPerS: 0, p50Ms: null, p99Ms: null },
    ],
  },
  repeatDelays: { bounds: [0.1, 60, 86_400], counts: [4, 1_200, 0, 1] },
  connections: {
    open: 1_250,
    pending: 3,
    degraded: 2,
    limit: 10_000,
    closed: [
      { code: "4401", words: "the token expired", count: 12 },
      { code: "4403", words: "the token was revoked", count: 1 },
    ],
    closeDelays: { bounds: [0.01, 1], counts: [7, 2, 0] },
  },
  others: [],
};
