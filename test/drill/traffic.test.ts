import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { Environment } from "../../src/drill/environment.ts";
import { Traffic, type Sample } from "../../src/drill/traffic.ts";

interface Fixture {
  readonly traffic: Traffic;
  readonly samples: readonly Sample[];
  /** Resolves when the first request has arrived. No request gets an answer before `answerAll`. */
  readonly arrived: Promise<void>;
  readonly answerAll: (status: number) => void;
}

async function startTraffic(t: TestContext): Promise<Fixture> {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const { promise: status, resolve: answerAll } = Promise.withResolvers<number>();
  const server = createServer((_, res) => {
    resolve();
    void status.then((code) => res.writeHead(code).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const environment: Environment = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    webSocketUrl: null,
    isLocal: true,
    token: () => "token",
    setAuthority: async () => await Promise.resolve(null),
    close: async () => {},
  };
  const samples: Sample[] = [];
  const traffic = new Traffic(environment, 20, (sample) => samples.push(sample));
  traffic.start();
  return { traffic, samples, arrived, answerAll };
}

for (const [status, outcomes] of [
  [401, []],
  [200, ["ok"]],
  [503, ["unavailable"]],
] as const) {
  test(`a request under way while its token is revoked counts as ${outcomes[0] ?? "nothing"} when it gets ${status}`, async (t) => {
    const { traffic, samples, arrived, answerAll } = await startTraffic(t);
    await arrived;
    const stopped = traffic.stop();
    traffic.expectRevocation("token");
    answerAll(status);
    await stopped;
    assert.deepEqual([...new Set(samples.map(({ outcome }) => outcome))], outcomes);
  });
}

test("a 401 for a token that was not revoked counts as a false one", async (t) => {
  const { traffic, samples, arrived, answerAll } = await startTraffic(t);
  await arrived;
  const stopped = traffic.stop();
  traffic.expectRevocation("another token");
  answerAll(401);
  await stopped;
  assert.notEqual(samples.length, 0);
  for (const { outcome, revoked } of samples) assert.deepEqual([outcome, revoked], ["refused", null]);
});
