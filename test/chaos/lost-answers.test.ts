import assert from "node:assert/strict";
import { test } from "node:test";
import { clockedStores, startClockedClients } from "./refreshing-clients.ts";

/* The times are those of the reports, on a clock that the test advances. `conflictMs` is its default of 30 s. */

const SECOND_MS = 1000;

for (const { name, skip, open } of clockedStores) {
  const title = (text: string) => `fault 63, law 8: ${text}, on ${name}`;

  test(title("clients whose answer is lost stay in after 31 s offline"), { skip }, async (t) => {
    const { clients, advance, expectNoAlarms } = await startClockedClients(t, open);
    for (const client of clients) await client.loseRefresh();
    await advance(31 * SECOND_MS);
    // The repeat is lost as well. A client may be offline for most of a day.
    for (const client of clients) await client.loseRefresh();
    await advance(31 * SECOND_MS);
    for (const client of clients) assert.equal(await client.refresh(), "ok");
    await expectNoAlarms();
  });

  test(title("a tab that handles its answer 45 s late shares its session"), { skip }, async (t) => {
    const { issuer, clients, advance, expectNoAlarms } = await startClockedClients(t, open);
    const late = await Promise.all(
      clients.map(async (client) => await issuer.refresh(client.tokens.refresh_token)),
    );
    await advance(45 * SECOND_MS);
    for (const [n, client] of clients.entries()) {
      const answer = late[n];
      assert.ok(answer?.status === "ok");
      // Another tab repeats the refresh with the token that both have stored.
      assert.equal(await client.refresh(), "ok");
      assert.equal(client.tokens.refresh_token, answer.tokens.refresh_token);
      // The late tab stores the same token, and acknowledges it again.
      client.tokens = answer.tokens;
      if (client.acknowledges) await issuer.acknowledge(client.tokens.refresh_token);
      assert.equal(await client.refresh(), "ok");
    }
    await expectNoAlarms();
  });
}
