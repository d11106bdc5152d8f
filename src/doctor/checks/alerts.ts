import { readFile } from "node:fs/promises";
import { systemErrorCode } from "../../core/errors.ts";
import { askAdmin } from "../ask-admin.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import { packageFile } from "../../core/package-files.ts";

const ownRules = packageFile("ops/prometheus/holdfast.rules.yml");

/** Compares the alert rules in use with those of this version, and with the metrics of the running service. */
export const alertsCheck: Check = {
  name: "alerts",
  group: "service",
  async run(context) {
    const { rules: file } = context.options;
    if (file === undefined)
      return [skip("--rules FILE compares your alert rules with those of this version")];
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      return [
        fail(
          `${file} cannot be read (${systemErrorCode(error) ?? "failed"})`,
          "name the file of the alert rules",
        ),
      ];
    }
    const own = await readFile(ownRules, "utf8");
    const [running] = context.processes.filter(({ found }) => found === "process");
    const page =
      running === undefined
        ? ""
        : ((await askAdmin(context, running, "/metrics").catch(() => null))?.text ?? "");
    return judgeRules(file, text, own, page);
  },
};

/** `own` are the rules of this version, and `page` is what the running service shows, if one runs. */
export function judgeRules(file: string, text: string, own: string, page: string): Finding[] {
  const advice = "take ops/prometheus/holdfast.rules.yml of this version, and keep your changes";
  const missing = difference(alertsOf(own), alertsOf(text));
  const gone = difference(metricsOf(text), [...metricsOf(own), ...familiesOf(page)]);
  const findings: Finding[] = [];
  if (missing.length > 0) findings.push(warn(`${file} lacks the alerts ${missing.join(", ")}`, advice));
  if (gone.length > 0) {
    findings.push(
      warn(`${file} watches metrics that this version does not have: ${gone.join(", ")}`, advice),
    );
  }
  return findings.length > 0 ? findings : [ok(`${file} has every alert of this version`)];
}

function alertsOf(rules: string): string[] {
  return [...rules.matchAll(/^\s*-?\s*alert:\s*["']?(\w+)/gm)].map(([, name = ""]) => name);
}

/** The metrics in the expressions, without the suffixes that a histogram adds. */
function metricsOf(rules: string): string[] {
  const names = [...rules.matchAll(/\bholdfast_\w+/g)].map(([name]) =>
    name.replace(/_(?:bucket|sum|count)$/, ""),
  );
  return [...new Set(names)];
}

function familiesOf(page: string): string[] {
  return [...page.matchAll(/^# TYPE (\w+) /gm)].map(([, name = ""]) => name);
}

function difference(wanted: readonly string[], present: readonly string[]): string[] {
  return wanted.filter((one) => !present.includes(one));
}
