import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SCRAPE_MS } from "./series.ts";
import { fromRoot, isProgramMissing } from "./support.ts";

/** The reason to skip a test that needs promtool, or `false`. */
export const noPromtool: string | false =
  isProgramMissing("promtool") && process.env["CI"] !== "true" ? "promtool is not installed" : false;

/** An expression, when it is evaluated, and the samples that it must have. Labels are as in PromQL. */
export interface ExpressionTest {
  readonly expr: string;
  readonly minute: number;
  readonly samples: readonly { readonly labels: string; readonly value: number }[];
}

/** Runs the alert rules over recorded series, and fails when an expression has other samples. */
export async function testRules(
  inputSeries: readonly { series: string; values: string }[],
  expressions: readonly ExpressionTest[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-alerts-"));
  try {
    const file = join(folder, "alerts.test.yml");
    const content = {
      rule_files: [fromRoot("ops/prometheus/holdfast.rules.yml")],
      evaluation_interval: "15s",
      tests: [
        {
          interval: `${SCRAPE_MS / 1_000}s`,
          input_series: inputSeries,
          promql_expr_test: expressions.map(({ expr, minute, samples }) => ({
            expr,
            eval_time: `${Math.round(minute * 60)}s`,
            exp_samples: samples,
          })),
        },
      ],
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(content));
    // The tests that wait for their alerts beside this one go on meanwhile.
    await promisify(execFile)("promtool", ["test", "rules", file], { timeout: 120_000 }).catch(
      (error: Error & { stdout: string; stderr: string }) =>
        assert.fail(`${error.message}\n${error.stdout}${error.stderr}`),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
