import type { DoctorContext } from "./context.ts";
import type { Finding } from "./finding.ts";

/** The groups of the report, in its order. */
export const groups = ["configuration", "machine", "store", "providers", "service"] as const;

/** One question to the installation. Checks run at the same time, and none changes anything unless `--write` is given. */
export interface Check {
  /** One word or two, joined by a hyphen. It is stable, because scripts read it from the JSON report. */
  readonly name: string;
  readonly group: (typeof groups)[number];
  /** The time limit in ms. Default: 5,000. */
  readonly limitMs?: number;
  /** The finding of a late check says that it waited for this. Default: this machine. */
  readonly asks?: string;
  /** Whether the check begins when the others have ended. Default: false. */
  readonly runsAlone?: boolean;
  /** Resolves with at least one finding. `signal` aborts at the time limit, and ends what the check began. */
  readonly run: (context: DoctorContext, signal: AbortSignal) => Promise<readonly Finding[]>;
}
