import type { Instant } from "../../core/clock.ts";
import type { HeaderMemo } from "../../jwt/parse.ts";
import type { VerificationPool } from "../../jwt/verification-pool.ts";
import type { SingleFlight } from "../../resilience/single-flight.ts";
import type { DecisionContext } from "./decide.ts";
import type { ValidationResult } from "./validation-result.ts";
import type { ResultCache } from "./result-cache.ts";
import type { GuardedIssuers } from "../issuers/guarded-issuer.ts";
import type { GuardSettings } from "../settings.ts";
import type { SharedCache } from "../shared/shared-cache.ts";

/** What was found out, and whether other instances knew it. */
export interface SourcedResult {
  readonly result: ValidationResult;
  readonly from: "shared" | "verification";
}

/** One question to others and to an authority, joined by all who have it. */
export interface AuthorityCall {
  readonly startedAt: Instant;
  readonly result: Promise<SourcedResult>;
  /** Resolves when those who may do without should wait no longer: for all of them at once. */
  readonly softTimeout: () => Promise<null>;
}

/** What the rungs stand on. */
export interface PipelineContext extends GuardSettings, DecisionContext {
  readonly guardedIssuers: GuardedIssuers;
  readonly headerMemo: HeaderMemo;
  readonly resultCache: ResultCache;
  readonly verificationPool: VerificationPool;
  /** Proofs under way, by digest. */
  readonly verifications: SingleFlight<string, ValidationResult>;
  /** Questions to authorities under way, by digest. */
  readonly authorityCalls: Map<string, AuthorityCall>;
  /** What instances share. */
  readonly sharedCache: SharedCache | undefined;
  /** Ends when what earlier runs knew is here; `null` from then on. */
  restoring: Promise<void> | null;
  closed: boolean;
}
