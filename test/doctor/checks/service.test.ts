import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { alertsCheck, judgeRules } from "../../../src/doctor/checks/alerts.ts";
import { rehearsalCheck } from "../../../src/doctor/checks/rehearsal.ts";
import { throughCheck } from "../../../src/doctor/checks/through.ts";
import type { Finding } from "../../../src/doctor/finding.ts";
import type { DoctorReport } from "../../../src/doctor/run-doctor.ts";
import { runHoldfast } from "../../cli/cli-process.ts";
import { startGuardedSite } from "../../gateway/guarded-site.ts";
import { isMissing } from "../../gateway/proxies.ts";
import { temporaryDataDir } from "../../server/temporary-settings.ts";
import { startService } from "../../support/service-process.ts";
import {
  assertHealthy,
  assertProblem,
  findings,
  makeContext,
  makeSettings,
  providerSettings,
  serve,
  startProvider,
} from "../fixture.ts";

/** The findings of `holdfast doctor --write` for these instances, and what it printed. */
async function roundTrip(data: string, instances: readonly string[]) {
  const write = instances.flatMap((url) => ["--write", url]);
  const { out, err } = await runHoldfast(["doctor", "--json", ...write], { data });
  const { checks } = JSON.parse(out) as DoctorReport;
  return { list: checks.find(({ name }) => name === "round-trip")?.findings ?? [], printed: out + err };
}

async function start(t: TestContext, data: string): Promise<string> {
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  return service.url;
}

test("round-trip: a session goes over two instances, and the throw-away user is removed", async (t) => {
  const data = await temporaryDataDir();
  const instances = [await start(t, data), await start(t, data)];
  const { list, printed } = await roundTrip(data, instances);
  // A busy machine may need longer than a second for the logout, which is a warning.
  assert.ok(
    list.every(({ status }) => status !== "fail"),
    JSON.stringify(list),
  );
  assert.match(
    list[0]?.detail ?? "",
    new RegExp(`a session went over ${instances.join(", ")}, and ended everywhere`),
  );
  assert.doesNotMatch(printed, /hfr_|eyJ/);
  const users = await runHoldfast(["user", "list"], { data });
  assert.doesNotMatch(users.out, /doctor-/);
});

test("round-trip: an instance on another store is a failure that names the step and the instance", async (t) => {
  const data = await temporaryDataDir();
  const instances = [await start(t, data), await start(t, await temporaryDataDir())];
  const { list } = await roundTrip(data, instances);
  const detail = new RegExp(`the session is stored: ${instances[1]} answered 401 in place of 200`);
  assertProblem(list, "fail", detail, /all instances share one store/);
  const { list: gone } = await roundTrip(data, ["http://127.0.0.1:1"]);
  assertProblem(gone, "fail", /no answer in time/, /log of that instance/);
});

test("round-trip: an instance whose proxy answers with a page is a failure that names the step", async (t) => {
  const data = await temporaryDataDir();
  await start(t, data);
  const { origin } = new URL(await startServer(t, (_, res) => res.end("<h1>Please log in</h1>")));
  const { list } = await roundTrip(data, [origin]);
  const detail = new RegExp(`the login at ${origin} answered 200 in place of tokens`);
  assertProblem(list, "fail", detail, /log of that instance/);
});

test("round-trip: a throw-away user that cannot be removed is named, with the command that removes it", async (t) => {
  const data = await temporaryDataDir();
  await start(t, data);
  const db = new DatabaseSync(join(data, "holdfast.db"), { timeout: 10_000 });
  t.after(() => db.close());
  // The instance never answers, and another program locks the store meanwhile.
  const silent = await startServer(t, () => db.exec("BEGIN IMMEDIATE"));
  const { list } = await roundTrip(data, [silent]);
  db.exec("ROLLBACK");
  assertProblem(
    list,
    "fail",
    /user doctor-\w+ could not be added or removed/,
    /holdfast user remove doctor-/,
  );
  const name = /doctor-\w+/.exec(list[0]?.detail ?? "")?.[0] ?? "";
  assert.equal((await runHoldfast(["user", "remove", name], { data })).code, 0);
});

const through = async (url: string): Promise<readonly Finding[]> =>
  await findings(throughCheck, await makeContext(await makeSettings(), { through: url }));

test(
  "through: a real nginx with the files of ops/ refuses every forged request",
  { skip: isMissing("nginx") },
  async (t) => {
    const site = await startGuardedSite("nginx");
    t.after(async () => await site.stop());
    assertHealthy(await through(`http://127.0.0.1:${site.port}/orders/1`));
    const open = await through(`http://127.0.0.1:${site.port}/open/1`);
    assertProblem(
      open,
      "fail",
      /answers 200 to a request without a token: nothing guards it/,
      /needs a token/,
    );
  },
);

async function startServer(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/orders`;
}

test("through: each way around a careless proxy is a failure that names it", async (t) => {
  const ways: [RegExp, RequestListener][] = [
    [
      /headers that claim another path/,
      (req, res) => res.writeHead(req.headers["x-forwarded-uri"] === "/" ? 200 : 401).end(),
    ],
    [
      /identity headers of its own/,
      (req, res) => res.writeHead(req.headers["x-auth-subject"] === undefined ? 401 : 200).end(),
    ],
    [/a path with two slashes/, (req, res) => res.writeHead(req.url?.startsWith("//") ? 200 : 401).end()],
    [
      /a path with an encoded dot segment/,
      (req, res) => res.writeHead(req.url?.includes("%2e") ? 200 : 401).end(),
    ],
    [
      /another spelling of the path/,
      (req, res) => res.writeHead(req.url?.startsWith("/%") ? 200 : 401).end(),
    ],
  ];
  for (const [what, listener] of ways) {
    const url = await startServer(t, listener);
    assertProblem(
      await through(url),
      "fail",
      new RegExp(`answers 200 to ${what.source}`),
      /configuration from ops/,
    );
  }
});

test("through: a redirect, a gateway that is down, one that refuses the proxy and an open /verify are found", async (t) => {
  const redirect = await startServer(t, (_, res) =>
    res.writeHead(301, { Location: "https://x.example" }).end(),
  );
  assertProblem(await through(redirect), "fail", /redirect \(301\)/, /leads to/);
  const down = await startServer(t, (_, res) => res.writeHead(502).end());
  assertProblem(await through(down), "warn", /answers 502/, /reaches the gateway/);
  const untrusted = await startServer(t, (_, res) => res.writeHead(403).end());
  assertProblem(
    await through(untrusted),
    "fail",
    /answers 403 to a request without a token, where 401 is expected/,
    /HOLDFAST_TRUSTED_PROXIES/,
  );
  const open = await startServer(t, (req, res) => res.writeHead(req.url === "/verify" ? 200 : 401).end());
  assertProblem(await through(open), "warn", /\/verify answers 200 to clients/, /for the proxy itself/);
  assertProblem(
    await through("http://127.0.0.1:1/"),
    "fail",
    /cannot be reached \(ECONNREFUSED\)/,
    /a client can reach/,
  );
});

for (const [mode, known, fresh] of [
  ["deny", "503 (authority_unavailable)", "503 (authority_unavailable)"],
  ["cached", "200, marked as degraded", "503 (authority_unavailable)"],
  ["local", "200, marked as degraded", "200, marked as degraded"],
] as const) {
  test(`rehearsal: in mode ${mode} a seen token gets ${known}, and a new one ${fresh}`, async (t) => {
    const provider = await startProvider(t);
    const settings = await makeSettings({ ...providerSettings(provider), ALLOW_DEGRADED_AUTH: mode });
    const { fetch } = globalThis;
    const list = await findings(rehearsalCheck, await makeContext(settings, { rehearse: provider.token() }));
    assertHealthy(list);
    assert.ok(
      list[0]?.detail.includes(`a token that was seen gets ${known}, a new one ${fresh}`),
      list[0]?.detail,
    );
    assert.equal(globalThis.fetch, fetch);
    assert.equal((await fetch(provider.url("jwks"))).status, 200);
  });
}

test("rehearsal: a token that is not good is a failure, and no part of it is printed", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  const token = provider.token({ exp: 1 });
  const list = await findings(rehearsalCheck, await makeContext(settings, { rehearse: token }));
  assertProblem(list, "fail", /not good even now: invalid \(expired\)/, /doctor token/);
  assert.ok(token.split(".").every((part) => !JSON.stringify(list).includes(part)));
});

test("rehearsal: a provider that is down is a failure that does not blame the token", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  const token = provider.token();
  await provider.close();
  const list = await findings(rehearsalCheck, await makeContext(settings, { rehearse: token }));
  assertProblem(
    list,
    "fail",
    /needs a provider that answers.+503 \(authority_unavailable\)/,
    /rehearse again/,
  );
});

const rules = new URL("../../../ops/prometheus/holdfast.rules.yml", import.meta.url);

test("alerts: the rules of this version are well beside a running service", async (t) => {
  const settings = await makeSettings();
  await serve(t, settings);
  const context = await makeContext(settings, { rules: rules.pathname });
  assertHealthy(await findings(alertsCheck, context));
});

test("alerts: rules of an older version, and a file that is not there, are found", async () => {
  const own = readFileSync(rules, "utf8");
  const older = own
    .replace("alert: HoldfastDown", "alert: HoldfastGone")
    .replaceAll("holdfast_refreshes_total", "holdfast_rotations_total");
  const [missing, gone] = judgeRules("rules.yml", older, own, "");
  assertProblem(
    [missing].flatMap((one) => one ?? []),
    "warn",
    /lacks the alerts HoldfastDown/,
    /of this version/,
  );
  assertProblem(
    [gone].flatMap((one) => one ?? []),
    "warn",
    /does not have: holdfast_rotations_total/,
    /of this version/,
  );
  // A metric that only the running service knows is no fault of the rules.
  assertHealthy(
    judgeRules("rules.yml", `${own}\n# holdfast_new_total`, own, "# TYPE holdfast_new_total counter\n"),
  );
  const absent = await makeContext(await makeSettings(), { rules: "/nowhere/rules.yml" });
  assertProblem(await findings(alertsCheck, absent), "fail", /cannot be read \(ENOENT\)/, /name the file/);
});

test("doctor refuses an address that is no URL, and an option that is given twice", async () => {
  const data = await temporaryDataDir();
  for (const [args, message] of [
    [["--through", "shop"], /--through must be an http or https URL/],
    [["--write", "ftp://a"], /--write must be an http or https URL/],
    [["--strict", "--strict"], /--strict can be given once/],
  ] as const) {
    const { code, err } = await runHoldfast(["doctor", ...args], { data });
    assert.equal(code, 2);
    assert.match(err, message);
  }
  const { out } = await runHoldfast(["doctor", "--rehearse"], { data, input: "not a token" });
  assert.match(out, /skip +rehearsal +no provider is configured/);
});
