import { elapsedMs, type Clock, type Instant } from "../../core/clock.ts";
import type { IssuerSettings } from "../issuer-settings.ts";
import type { GuardedIssuer } from "./guarded-issuer.ts";
import type { Probation } from "./unproven-hosts.ts";

/** An unproven issuer keeps its place at least this long, which limits how many can be tried. */
const MIN_PLACE_MS = 1_000;
/** An issuer without a verified token by then is closed when its place is needed. */
const PROBATION_MS = 30_000;

/** An issuer that was found, and what is known of it. */
export interface OpenIssuer {
  readonly name: string;
  readonly settings: IssuerSettings;
  readonly guarded: GuardedIssuer;
  readonly openedAt: Instant;
  /** Whether a key of the issuer has verified a token. */
  isProven: boolean;
  /** When `issuerFor` named the issuer. `null` for an issuer of a pattern. */
  answeredAt: Instant | null;
  /** When `issuerFor` last failed for the issuer. `null` after an answer. */
  failedAt: Instant | null;
}

/** Whether an unproven issuer may be closed, because its place is needed. */
export function mayGiveUp({ openedAt, guarded }: OpenIssuer, now: Instant): boolean {
  const ageMs = now.monotonic - openedAt.monotonic;
  if (ageMs < MIN_PLACE_MS) return false;
  const { usable, lastError } = guarded.keyring.status();
  return ageMs > PROBATION_MS || (!usable && lastError !== null);
}

/** The time in which a key of the issuer must verify a token. `end` closes the issuer. */
export function probationOf(clock: Clock, getOpen: () => OpenIssuer, end: () => void): Probation {
  return {
    get isProven() {
      return getOpen().isProven;
    },
    isOver: () => elapsedMs(clock, getOpen().openedAt) > PROBATION_MS,
    end,
  };
}
