import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { readSettings } from "../../src/server/settings.ts";
import { startService } from "../support/service-process.ts";
import { fromRoot, readFromRoot } from "./support.ts";

interface Step {
  readonly name: string;
  readonly text: string;
}

/** The steps of each stage. The first one is the stage that builds. */
function readStages(): Step[][] {
  const lines = readFromRoot("ops/docker/Dockerfile").split("\n");
  const steps = lines.flatMap((line) => {
    const [, name, text] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return name === undefined || text === undefined ? [] : [{ name, text }];
  });
  const stages: Step[][] = [];
  for (const step of steps) {
    if (step.name === "FROM") stages.push([]);
    stages.at(-1)?.push(step);
  }
  return stages;
}

function only(steps: readonly Step[], name: string): string {
  const found = steps.filter((step) => step.name === name);
  assert.equal(found.length, 1, name);
  return found[0]?.text ?? "";
}

/** Runs the steps of the first stage in an empty folder. The packages are those of this checkout. */
function build(steps: readonly Step[], folder: string): void {
  const allowed = new Set(
    readFromRoot("ops/docker/Dockerfile.dockerignore")
      .split("\n")
      .flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? []),
  );
  for (const { name, text } of steps) {
    if (name === "COPY") {
      const [target = "", ...sources] = text.split(" ").toReversed();
      for (const source of sources) {
        assert.ok(allowed.has(source), `Dockerfile.dockerignore lets ${source} through`);
        const to = target === "./" ? join(folder, basename(source)) : join(folder, target);
        cpSync(fromRoot(source), to, { recursive: true });
      }
    } else if (name === "RUN" && text === "npm ci --ignore-scripts") {
      symlinkSync(fromRoot("node_modules"), join(folder, "node_modules"));
    } else if (name === "RUN" && text.startsWith("npm prune ")) {
      // It would remove packages of this checkout.
    } else if (name === "RUN") {
      const run = spawnSync("sh", ["-c", text], { cwd: folder, encoding: "utf8" });
      assert.equal(run.status, 0, `${text}\n${run.stdout}${run.stderr}`);
    } else {
      assert.ok(["FROM", "WORKDIR"].includes(name), name);
    }
  }
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-docker-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("the steps of the Dockerfile build a service that its health check finds, and that ends at SIGTERM", async (t) => {
  const [builder = [], runtime = []] = readStages();
  const folder = temporaryFolder(t);
  build(builder, folder);
  // The second stage takes these parts only.
  const app = join(folder, "app");
  mkdirSync(app);
  for (const { name, text } of runtime) {
    if (name !== "COPY") continue;
    const [from, source = "", target = ""] = text.split(" ");
    assert.equal(from, "--from=build");
    const path = join(folder, source.replace(/^\/build\//, ""));
    assert.ok(existsSync(path), source);
    const to = target === "./" ? join(app, basename(source)) : join(app, target);
    if (basename(source) === "node_modules") symlinkSync(fromRoot("node_modules"), to);
    else cpSync(path, to, { recursive: true });
  }
  const [program, ...words] = JSON.parse(only(runtime, "ENTRYPOINT")) as string[];
  assert.equal(program, "node");
  const command = [...words, ...(JSON.parse(only(runtime, "CMD")) as string[])];
  const service = await startService(
    join(folder, "store"),
    { NODE_ENV: "production" },
    command.map((word) => word.replace("/app/", `${app}/`)),
  );
  const check = async (port: string) => {
    const written = /CMD (\[.+\])$/.exec(only(runtime, "HEALTHCHECK"))?.[1] ?? "[]";
    const [, ...args] = (JSON.parse(written) as string[]).map((word) => word.replace("4180", port));
    const [code] = (await once(spawn(process.execPath, args), "exit")) as [number];
    return code;
  };
  const { port } = new URL(service.url);
  try {
    assert.equal(await check(port), 0);
  } finally {
    assert.equal(await service.stop(), 0);
  }
  assert.equal(await check(port), 1);
});

test("the image runs as a user without rights, with settings that the service knows", () => {
  const [, runtime = []] = readStages();
  assert.match(only(runtime, "USER"), /^[1-9]\d*:[1-9]\d*$/);
  const env = Object.fromEntries(
    only(runtime, "ENV")
      .split(" ")
      .map((pair) => pair.split("=") as [string, string]),
  );
  const settings = readSettings(env);
  assert.equal(settings.host, "0.0.0.0");
  assert.ok(settings.dataDir.startsWith(`${only(runtime, "VOLUME")}/`));
  // The health check and the open port are those of the default.
  assert.equal(String(settings.port), only(runtime, "EXPOSE"));
  assert.ok(only(runtime, "HEALTHCHECK").includes(`:${settings.port}/`));
});
