import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../src/testing/simulation/index.ts";

type Make = () => Response;

/** Responses that a handler of a program may make. */
const makers: Readonly<Record<string, Make>> = {
  "a text": () => new Response("héllo \ud800", { status: 201, headers: { "X-Name": "value" } }),
  JSON: () => new Response('{"ok":true}', { headers: { "content-type": "application/json" } }),
  "a text with a byte order mark": () => new Response("\uFEFFhéllo \uFEFF"),
  "JSON with a byte order mark": () => new Response('\uFEFF{"ok":true}'),
  "no body": () => new Response(null, { status: 204 }),
  "an empty text": () => new Response(""),
  bytes: () => new Response(new Uint8Array([104, 105])),
  parameters: () => new Response(new URLSearchParams({ a: "b" })),
  "a status text": () => new Response("no", { status: 404, statusText: "Not Here" }),
};

/** Each way to read a response, as a text that two responses can be compared by. */
const readers: Readonly<Record<string, (response: Response) => Promise<string>>> = {
  facts: async ({ status, ok, statusText, type, url, redirected, bodyUsed, headers }) =>
    await Promise.resolve(
      JSON.stringify([status, ok, statusText, type, url, redirected, bodyUsed, [...headers]]),
    ),
  text: async (response) => `${await response.text()} ${response.bodyUsed}`,
  json: async (response) =>
    await response.json().then(JSON.stringify, (error: Error) => `${error.name} ${response.bodyUsed}`),
  bytes: async (response) => Buffer.from(await response.bytes()).toString("hex"),
  arrayBuffer: async (response) => Buffer.from(await response.arrayBuffer()).toString("hex"),
  blob: async (response) => await (await response.blob()).text(),
  "the text of a clone": async (response) => {
    const copy = response.clone();
    return `${await copy.text()} ${response.bodyUsed} ${await response.text()}`;
  },
  stream: async (response) => {
    const parts: string[] = [];
    for await (const part of response.body ?? []) parts.push(Buffer.from(part).toString("hex"));
    return `${response.body === null} ${parts.join("")} ${response.bodyUsed}`;
  },
  "a second read": async (response) => {
    await response.text();
    return await response.text().catch((error: Error) => error.name);
  },
  "the text behind a stream": async (response) => {
    response.body?.getReader();
    return await response.text().catch((error: Error) => error.name);
  },
  "a clone behind a read": async (response) => {
    await response.text();
    try {
      return await response.clone().text();
    } catch (error) {
      return (error as Error).name;
    }
  },
  "another response of its parts": async (response) =>
    JSON.stringify([...new Response(response.body, response).headers]),
};

async function readAll(): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const [body, make] of Object.entries(makers))
    for (const [name, read] of Object.entries(readers)) results[`${name} of ${body}`] = await read(make());
  return results;
}

test("a response in a world is read as one of the platform", async () => {
  const world = new World({ seed: 1 });
  let results: Record<string, string> = {};
  const classes: boolean[] = [];
  world.process("program", async () => {
    classes.push(new Response("") instanceof Response);
    results = await readAll();
  });
  await world.run(1_000);
  assert.deepEqual(world.history, []);
  assert.deepEqual(classes, [true]);
  assert.deepEqual(results, await readAll());
});

test("a response in a world refuses what the platform refuses", async () => {
  const refused: readonly Make[] = [
    () => new Response("a body", { status: 204 }),
    () => new Response(null, { status: 99 }),
    () => new Response(null, { headers: { "a name": "value" } }),
  ];
  const refuse = () =>
    refused.map((make) => {
      try {
        return make().status;
      } catch (error) {
        return (error as Error).name;
      }
    });
  const world = new World({ seed: 1 });
  let results: readonly unknown[] = [];
  world.process("program", () => void (results = refuse()));
  await world.run(1_000);
  assert.deepEqual(results, refuse());
  assert.equal(results.includes(204), false);
});

test("a handler that returns one response twice fails at the second request", async () => {
  const world = new World({ seed: 1 });
  const statuses: number[] = [];
  let sent: string | null = null;
  world.process("server", ({ listen }) => {
    const response = new Response("once", { headers: { "x-name": "of the server" } });
    listen("server.example", () => {
      sent = response.headers.get("x-name");
      return response;
    });
  });
  world.process("client", async ({ fetch }) => {
    for (let turn = 0; turn < 2; turn++) {
      const answer = await fetch("http://server.example/");
      answer.headers.set("x-name", "of the caller");
      statuses.push(answer.status);
    }
  });
  await world.run(10_000);
  assert.deepEqual(statuses, [200, 500]);
  assert.equal(sent, "of the server");
});
