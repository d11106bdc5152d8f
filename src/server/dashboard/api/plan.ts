import type { EndOptions } from "../../../issuer/sessions/session-types.ts";

/** The administrator, for the audit event. */
export type Actor = EndOptions & { readonly session?: string | undefined };

/** An action that was looked at and not done yet. */
export interface Plan {
  /** A sentence without its subject, such as `ends 3 sessions of ada`. */
  readonly effect: string;
  /** Does it, and says whether the store keeps the audit event. `null` when there is nothing to do. */
  readonly run: ((by: Actor) => Promise<{ readonly audited: boolean; readonly effect?: string }>) | null;
}
