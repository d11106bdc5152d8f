import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../soak/random.ts";
import { measureWorstRequests } from "./one-request/hold-to-bound.ts";
import { startMeasuredService } from "./one-request/measured-service.ts";

/** `npm run test:soak -- --part requests` sends all of them, for an hour. */
const SHARE = 1 / 30;

test("fault 66, law 6: no request takes 50 ms of the main thread, whatever is in it", async (t) => {
  const service = await startMeasuredService();
  t.after(service.stop);
  const { requests, worst, broken } = await measureWorstRequests({
    service,
    random: seededRandom(66),
    share: SHARE,
  });
  t.diagnostic(`${requests} requests, the worst ${worst.cpuMs.toFixed(1)} ms: ${worst.name}`);
  assert.ok(requests > 500, `${requests} requests`);
  assert.deepEqual(broken, []);
});
