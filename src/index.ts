export { createGuard } from "./guard/create-guard.ts";
export { jwks } from "./guard/keys/jwks.ts";
export type { JwksOptions } from "./guard/keys/jwks-options.ts";
export { discovered, type DiscoveryOptions } from "./guard/keys/discovery.ts";
export { introspection } from "./guard/authority/introspection.ts";
export { tokenValidation } from "./guard/authority/token-validation.ts";
export { httpRevocations, type HttpRevocationsOptions } from "./guard/revocations/http-feed.ts";
export { staticKeys } from "./guard/keys/static-keys.ts";
export { sharedSecret, type SharedSecretOptions } from "./guard/keys/shared-secret.ts";
export { oneOf, type ClaimRule, type ClaimRules, type ClaimValue } from "./core/claim-rules.ts";
export type { RefusalDetail } from "./core/refusal-detail.ts";
export { fileSnapshots } from "./stores/file-snapshots.ts";
export { HoldfastError, isHoldfastError, type ErrorCode } from "./core/errors.ts";
export type { Clock } from "./core/clock.ts";
export type { Entropy } from "./core/entropy.ts";
export type {
  Exemplar,
  HistogramSample,
  MetricFamily,
  MetricLabels,
  MetricSample,
  MetricSource,
} from "./core/metrics.ts";
export type { DecisionEvent, GuardEvent } from "./core/events.ts";
export type { BreakerEvent, KeysEvent, QuestionEvent } from "./core/operation-events.ts";
export type { OpenSpan, SpanAttributes, SpanReference, SpanStart, Tracing } from "./core/tracing.ts";
export type { CallOptions, DegradedMode, Rules } from "./core/rules.ts";
export type { Decision, InvalidReason, JwtClaims, UnavailableCause, Verdict } from "./core/verdict.ts";
export type {
  CacheStatus,
  FoundIssuersStatus,
  GuardState,
  GuardStatus,
  RevocationsStatus,
  SharedStatus,
  TrustedIssuerStatus,
} from "./guard/status-types.ts";
export type { Admission, Guard, GuardOptions, IssuerFor, TrustedIssuer } from "./guard/types.ts";
export { tenants, type IssuerPattern, type PlaceholderValues } from "./guard/issuers/tenants.ts";
export type { AuthorityOptions } from "./guard/authority/settings.ts";
export type { AuthoritySource, AuthorityStatus } from "./guard/authority/authority.ts";
export type { KeySource, KeysStatus } from "./guard/keys/key-source.ts";
export type { Fetch } from "./guard/fetch-json.ts";
export type { Algorithm } from "./jwt/algorithms.ts";
export type { RevocationFeed, Snapshots } from "./stores/store.ts";
export type { SharedAnswers, SharedAnswersSource, SharedEntry } from "./stores/shared-answers.ts";
