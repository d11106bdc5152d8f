import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitForExit } from "../support/child-exit.ts";
import { waitUntil } from "../support/deadline.ts";
import { freePort } from "../support/free-port.ts";
import type { SeriesLog } from "./series.ts";
import { isProgramMissing } from "./support.ts";

/** The reason to skip a test that needs a Prometheus server, or `false`. */
export const noPrometheus: string | false =
  [isProgramMissing("prometheus"), isProgramMissing("promtool")].find((reason) => reason !== false) ?? false;

const START_MS = 60_000;

/** A real Prometheus on recorded series. It scrapes nothing. */
export interface PrometheusServer {
  /** Evaluates an expression at every scrape of the recording. Rejects with the error of Prometheus. */
  readonly query: (expr: string) => Promise<readonly QueriedSeries[]>;
  readonly stop: () => Promise<void>;
}

interface QueriedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

/** Starts Prometheus on the recording, whose first scrape was made at `startMs`. */
export async function startPrometheus(series: SeriesLog, startMs: number): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-prometheus-"));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  try {
    const input = join(folder, "recording.om");
    writeFileSync(input, series.openMetrics(startMs));
    const data = join(folder, "data");
    const made = spawnSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", input, data], {
      encoding: "utf8",
      timeout: START_MS,
    });
    assert.equal(made.status, 0, `${made.stdout}${made.stderr}`);
    const config = join(folder, "prometheus.yml");
    writeFileSync(config, "scrape_configs: []\n");
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      "prometheus",
      [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=${address}`],
      { stdio: "ignore" },
    );
    const stop = async () => {
      child.kill("SIGKILL");
      await waitForExit(child, "Prometheus");
      removeFolder();
    };
    const isReady = async () => (await fetch(`http://${address}/-/ready`).catch(() => null))?.status === 200;
    await waitUntil(isReady, "the start of Prometheus", START_MS).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    const [start, end] = series.seconds(startMs);
    return {
      async query(expr) {
        const body = new URLSearchParams({ query: expr, start: `${start}`, end: `${end}`, step: "15" });
        const response = await fetch(`http://${address}/api/v1/query_range`, { method: "POST", body });
        const answer = (await response.json()) as {
          status: string;
          error?: string;
          data?: { result: QueriedSeries[] };
        };
        assert.equal(answer.status, "success", `${expr}: ${answer.error}`);
        return answer.data?.result ?? [];
      },
      stop,
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}
