import type { Instant } from "../core/clock.ts";
import type { HeaderMemo } from "../jwt/parse.ts";
import type { ProofPool } from "../jwt/proof-pool.ts";
import type { SingleFlight } from "../resilience/single-flight.ts";
import type { Court } from "./decide.ts";
import type { Finding } from "./finding.ts";
import type { Memory } from "./memory.ts";
import type { Realms } from "./realm.ts";
import type { GuardSettings } from "./settings.ts";
import type { SharedTier } from "./shared/shared-tier.ts";

/** What was found out, and whether other instances knew it. */
export interface Answer {
  readonly finding: Finding;
  readonly from: "shared" | "origin";
}

/** One question to others and to an authority, joined by all who have it. */
export interface Question {
  readonly began: Instant;
  readonly answer: Promise<Answer>;
  /** Resolves when those who may do without should wait no longer: for all of them at once. */
  readonly patience: () => Promise<null>;
}

/** What the rungs stand on. */
export interface Ladder extends GuardSettings, Court {
  readonly realms: Realms;
  readonly headers: HeaderMemo;
  readonly memory: Memory;
  readonly proofs: ProofPool;
  /** Proofs under way, by digest. */
  readonly flights: SingleFlight<string, Finding>;
  /** Questions to authorities under way, by digest. */
  readonly questions: Map<string, Question>;
  /** What instances share. */
  readonly tier: SharedTier | undefined;
  /** Ends when what earlier runs knew is here; `null` from then on. */
  restoring: Promise<void> | null;
  closed: boolean;
}
