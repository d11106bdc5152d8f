/** `skip`: the check has nothing to look at here, and its detail says why. */
export type FindingStatus = "ok" | "warn" | "fail" | "skip";

/** The result of a check. A check may have several findings. */
export interface Finding {
  readonly status: FindingStatus;
  /** A sentence without tokens and secrets. */
  readonly detail: string;
  /** The remedy. `null` for `ok` and `skip`. */
  readonly advice: string | null;
}

export function ok(detail: string): Finding {
  return { status: "ok", detail, advice: null };
}

export function skip(detail: string): Finding {
  return { status: "skip", detail, advice: null };
}

export function warn(detail: string, advice: string): Finding {
  return { status: "warn", detail, advice };
}

export function fail(detail: string, advice: string): Finding {
  return { status: "fail", detail, advice };
}

const ranks: readonly FindingStatus[] = ["skip", "ok", "warn", "fail"];

/** The status that counts for several findings. It is `skip` without findings. */
export function worstStatus(statuses: readonly FindingStatus[]): FindingStatus {
  return ranks[Math.max(0, ...statuses.map((status) => ranks.indexOf(status)))] ?? "skip";
}

/** A server or a token may give texts of any length. */
const MAX_LENGTH = 1000;

/** The same finding with texts of bounded length. */
export function shorten({ status, detail, advice }: Finding): Finding {
  return { status, detail: cut(detail), advice: advice === null ? null : cut(advice) };
}

function cut(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
