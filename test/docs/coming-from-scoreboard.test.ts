import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readTable, root } from "./coming-from/page.ts";

const scoreboard = readFileSync(join(root, "bench/clients/README.md"), "utf8");

/** What the scoreboard found about a client: scenario → what the user sees. */
function readFindings(client: string): Map<string, string> {
  const section = scoreboard.split(`\n**${client}**\n\n`)[1]?.split("\n\n")[0] ?? "";
  return new Map(
    [...section.matchAll(/^- (.*?): (.*)$/gm)].map(([, scenario = "", seen = ""]) => [scenario, seen]),
  );
}

for (const { page, client, heading } of [
  { page: "home-made-refresh", client: "home-made", heading: "In a browser" },
  { page: "oidc-client-ts", client: "oidc-client-ts", heading: "What changes" },
  { page: "auth0-spa-js", client: "auth0-spa-js, refresh tokens", heading: "What changes" },
]) {
  test(`the faults on the page about ${page} are those of the scoreboard`, () => {
    const findings = readFindings(client);
    const rows = readTable(page, heading);
    assert.ok(rows.size >= 5);
    for (const [scenario, [seen, own]] of rows) {
      assert.equal(seen, findings.get(scenario), scenario);
      // The first column of the scoreboard is Holdfast's client.
      assert.ok(scoreboard.includes(`\n| ${scenario} | ✓ |`), scenario);
      assert.equal(own, "the user notices nothing");
    }
  });
}

test("the marks on the index page are those of the scoreboard", () => {
  const lines = scoreboard.split("\n").filter((line) => line.startsWith("|"));
  const [head = [], , ...marks] = lines.map((line) =>
    line
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
  const columns = ["home-made", "oidc-client-ts", "auth0-spa-js, refresh tokens", "holdfast"].map((client) =>
    head.findIndex((cell) => cell.startsWith(`${client}<br>`)),
  );
  const rows = readTable("index", "What a refresh does in a browser");
  assert.ok(rows.size >= 5);
  for (const [scenario, cells] of rows) {
    const row = marks.find(([name]) => name === scenario);
    assert.deepEqual(
      cells,
      columns.map((column) => row?.[column]),
      scenario,
    );
  }
});
