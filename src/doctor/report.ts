import { groups } from "./check.ts";
import type { Finding, FindingStatus } from "./finding.ts";
import type { DoctorReport } from "./run-doctor.ts";
import type { TokenReport } from "./token/explain-token.ts";

const NAME_WIDTH = 13;
const INDENT = " ".repeat(NAME_WIDTH + 8);

/** Formats the report as a tree: groups, checks, and a line of advice under each problem. */
export function formatReport({ version, checks }: DoctorReport): string {
  const sections = groups.flatMap((group) => {
    const inGroup = checks.filter((check) => check.group === group);
    const lines = inGroup.flatMap(({ name, findings }) =>
      findings.flatMap((one) => formatFinding(name, one)),
    );
    return lines.length === 0 ? [] : [[group, ...lines].join("\n")];
  });
  return [`holdfast ${version}`, ...sections, formatCounts(checks.flatMap(({ findings }) => findings))].join(
    "\n\n",
  );
}

/** Formats what was found about a token, and the lines to paste. */
export function formatTokenReport({ findings, code }: TokenReport): string {
  const lines = findings.flatMap(({ status, detail, advice }) => {
    const line = `${status.padEnd(4)}  ${printable(detail)}`;
    return advice === null ? [line] : [line, `      → ${printable(advice)}`];
  });
  return code.length === 0 ? lines.join("\n") : [...lines, "", ...code.map(printable)].join("\n");
}

function formatFinding(name: string, { status, detail, advice }: Finding): string[] {
  const line = `  ${status.padEnd(4)}  ${name.padEnd(NAME_WIDTH)}${printable(detail)}`;
  return advice === null ? [line] : [line, `${INDENT}→ ${printable(advice)}`];
}

/** A detail may quote another server, and a control character could steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, " ");
}

function formatCounts(findings: readonly Finding[]): string {
  const order: readonly FindingStatus[] = ["fail", "warn", "ok", "skip"];
  return order
    .map((status) => `${findings.filter((one) => one.status === status).length} ${status}`)
    .join(", ");
}
