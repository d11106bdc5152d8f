import type { Instant } from "../../core/clock.ts";
import type { Counts } from "../../core/metrics.ts";
import type { HeaderMemo } from "../../jwt/parse.ts";
import type { VerificationPool } from "../../jwt/verification-pool.ts";
import type { SingleFlight } from "../../resilience/single-flight.ts";
import type { GuardedIssuers } from "../issuers/guarded-issuers.ts";
import type { DecisionCounts } from "../metrics/decision-counts.ts";
import type { DecisionDurations } from "../metrics/decision-durations.ts";
import type { GuardSettings } from "../settings.ts";
import type { SharedCache } from "../shared/shared-cache.ts";
import type { DecisionContext } from "./decide.ts";
import type { DecisionTracing } from "./decision-tracing.ts";
import type { KeyTrials } from "./key-trials.ts";
import type { ResultCache } from "./result-cache.ts";
import type { UnusableAnswers } from "./unusable-answers.ts";
import type { ValidationResult } from "./validation-result.ts";

/** A validation result and the step that gave it: the shared cache, or this instance's own work. */
export interface SourcedResult {
  readonly result: ValidationResult;
  readonly from: "shared" | "verification";
}

/** One call to the shared cache and the authority. Callers with the same token join it. */
export interface AuthorityCall {
  readonly startedAt: Instant;
  /** `null` until the call has its answer. */
  readonly answer: SourcedResult | null;
  /** Never rejects. */
  readonly answered: Promise<SourcedResult>;
  /** Resolves when callers that may fall back stop waiting. All of them share one timer. */
  softTimeout(): Promise<null>;
}

/** The state that the steps of a validation share: settings, issuers, caches and work in flight. */
export interface PipelineContext extends GuardSettings, DecisionContext {
  readonly guardedIssuers: GuardedIssuers;
  readonly headerMemo: HeaderMemo;
  readonly resultCache: ResultCache;
  readonly verificationPool: VerificationPool;
  /** Verifications in flight, by name of the token. */
  readonly verifications: SingleFlight<string, ValidationResult>;
  /** Calls to authorities in flight, by name of the token. */
  readonly authorityCalls: Map<string, AuthorityCall>;
  readonly sharedCache: SharedCache | undefined;
  readonly unusableAnswers: UnusableAnswers;
  readonly keyTrials: KeyTrials;
  /** Events that concern all issuers. */
  readonly eventCounts: Counts;
  /** Decisions about tokens that no issuer of the guard vouches for. */
  readonly unknownIssuerDecisions: DecisionCounts;
  readonly decisionDurations: DecisionDurations;
  /** `undefined` when the guard records no spans. */
  readonly decisionTracing: DecisionTracing | undefined;
  /** Resolves when the snapshots of earlier runs are loaded. `null` from then on. */
  restoring: Promise<void> | null;
  closed: boolean;
}
