import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { proveNonce, randomNonce } from "../../src/server/process-proof.ts";
import { announceProcess } from "../../src/server/running-processes.ts";
import { localFiles } from "../../src/server/store/local-store.ts";
import { createProvider } from "../../src/testing/index.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

const AUDIENCE = "https://api.example";

test("breaker and keys distrust reach every process of the service, and name each", async (t) => {
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  t.after(async () => await provider.close());
  const data = await temporaryDataDir();
  const settings = {
    HOLDFAST_AUDIENCE: AUDIENCE,
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_PROVIDER_JWKS_URL: provider.url("jwks"),
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    ALLOW_DEGRADED_AUTH: "local",
  };
  const services = [await startService(data, settings), await startService(data, settings)];
  t.after(async () => await Promise.all(services.map(async (service) => await service.stop("SIGKILL"))));
  const degraded = async () =>
    await Promise.all(
      services.map(async ({ url }) => {
        const headers = { authorization: `Bearer ${provider.token()}` };
        return (await fetch(`${url}/verify`, { headers })).headers.get("x-auth-degraded");
      }),
    );
  const lines = (effect: string) => services.map(({ admin }) => `${admin}: ${effect} ${provider.issuer}`);

  assert.deepEqual(await degraded(), ["", ""]);
  const opened = await runHoldfast(["breaker", "open"], { data, settings });
  assert.equal(opened.code, 0, opened.err);
  assert.deepEqual(
    opened.out.trim().split("\n").toSorted(),
    lines("does not ask the authority of").toSorted(),
  );
  assert.deepEqual(await degraded(), ["authority_unavailable", "authority_unavailable"]);
  assert.equal((await runHoldfast(["breaker", "auto"], { data, settings })).code, 0);

  const args = ["keys", "distrust", "--issuer", provider.issuer];
  const distrusted = await runHoldfast(args, { data, settings });
  assert.equal(distrusted.code, 0, distrusted.err);
  assert.equal(distrusted.out.trim().split("\n").length, 2);
  const ambiguous = await runHoldfast(["keys", "distrust"], { data, settings });
  assert.equal(ambiguous.code, 1);
  assert.match(ambiguous.err, /^holdfast: http:\/\/127\.0\.0\.1:\d+: issuer: must be one of/m);
  assert.match(
    services[0]?.output() ?? "",
    /"event\.name":"holdfast\.audit\.keys_distrusted","user\.id":"holdfast-cli"/,
  );

  // A killed process leaves its announcement behind. The command does not count it.
  await services[1]?.stop("SIGKILL");
  const rest = await runHoldfast(["breaker", "auto"], { data, settings });
  assert.deepEqual([rest.code, rest.out.trim().split("\n").length], [0, 1]);
  assert.equal(await services[0]?.stop(), 0);
  assert.equal((await readdir(localFiles(data).processes)).length, 1);
  const nobody = await runHoldfast(["breaker", "auto"], { data, settings });
  assert.equal(nobody.code, 1);
  assert.match(
    nobody.err,
    /^holdfast: no process of the service with the data in .* runs on this machine\n$/,
  );
});

test("SIGTERM stops the service although its announcement cannot be removed", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  const { processes } = localFiles(data);
  const [name = ""] = await readdir(processes);
  await rm(join(processes, name));
  // A directory of that name cannot be removed as a file.
  await mkdir(join(processes, name, "full"), { recursive: true });
  // A service that does not stop must fail the test, and not delay it for ever.
  const kill = setTimeout(() => process.kill(service.pid, "SIGKILL"), 10_000);
  assert.equal(await service.stop(), 0);
  clearTimeout(kill);
  assert.match(service.output(), /"WARN".*the announcement in .*processes cannot be removed/);
});

test("the service starts although it cannot announce itself, and warns once", async (t) => {
  const data = await temporaryDataDir();
  const { processes } = localFiles(data);
  await mkdir(`${data}.local`, { recursive: true });
  await writeFile(processes, "");
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  assert.equal((await fetch(`${service.url}/health/ready`)).status, 200);
  assert.equal(await service.stop(), 0);
  const warnings = service.output().match(/^.*"WARN".*$/gm) ?? [];
  assert.equal(warnings.length, 1, service.output());
  const [warning = ""] = warnings;
  assert.ok(warning.includes(processes), warning);
  assert.match(warning, /holdfast keys distrust and holdfast breaker do not reach this process/);
});

interface OtherProgram {
  readonly address: string;
  /** The requests that it got. */
  readonly requests: readonly IncomingMessage[];
}

/** A program that listens where an announcement points to. It answers with JSON. */
async function listenAsOther(
  t: TestContext,
  answer: (req: IncomingMessage) => unknown,
): Promise<OtherProgram> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    requests.push(req);
    res.end(JSON.stringify(answer(req)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test("no token is sent to a program that cannot prove that it wrote the announcement", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  const other = await listenAsOther(t, () => ({ proof: randomNonce(), issuer: "a", audited: true }));
  await announceProcess(localFiles(data).processes, other, randomNonce());
  const { code, out, err } = await runHoldfast(["keys", "distrust"], { data });
  assert.equal(code, 1);
  assert.match(out, /distrusts the keys of http:\/\/holdfast\.test/);
  assert.ok(err.includes(`${other.address}: another program listens at this address`), err);
  assert.deepEqual(
    other.requests.map(({ method, headers }) => [method, headers.authorization]),
    [["GET", undefined]],
  );
});

test("an answer can neither steer the terminal nor claim another address", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  const nonce = randomNonce();
  const esc = "\u001B";
  const other = await listenAsOther(t, ({ url = "" }) => {
    const challenge = new URL(url, "http://localhost").searchParams.get("challenge");
    if (challenge !== null) return { proof: proveNonce(nonce, challenge) };
    return { issuer: `${esc}[31mred\u009B`, audited: true, status: "failed", address: "elsewhere" };
  });
  await announceProcess(localFiles(data).processes, other, nonce);
  const { code, out, err } = await runHoldfast(["keys", "distrust"], { data });
  assert.equal(code, 0, err);
  assert.ok(out.includes(`${other.address}: distrusts the keys of [31mred, and fetches`), out);
  assert.doesNotMatch(out.replaceAll("\n", ""), /\p{C}|elsewhere/u);
  const token = other.requests[1]?.headers.authorization?.split(".")[1] ?? "";
  const { iat, exp } = JSON.parse(Buffer.from(token, "base64url").toString()) as Record<string, number>;
  assert.equal((exp ?? 0) - (iat ?? 0), 6);
});

test("the command signs with the last active key that opens, as the issuer does", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  const db = new DatabaseSync(localFiles(data).data, { timeout: 20_000 });
  db.exec("INSERT INTO keys VALUES ('foreign', 'ES256', 'sealed elsewhere', 0, 0, NULL)");
  db.close();
  const { code, err } = await runHoldfast(["keys", "distrust"], { data });
  assert.equal(code, 0, err);
});

for (const [args, message] of [
  [["breaker"], /open\|closed\|auto is missing/],
  [["breaker", "ajar"], /the state must be open, closed or auto/],
  [["keys", "distrust", "--issuer", "a", "--issuer", "b"], /--issuer can be given once/],
] as const) {
  test(`"holdfast ${args.join(" ")}" is not understood: exit code 2 and the reason`, async () => {
    const { code, err } = await runHoldfast(args);
    assert.equal(code, 2);
    assert.match(err, message);
  });
}
