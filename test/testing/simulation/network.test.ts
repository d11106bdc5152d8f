import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../src/testing/simulation/world.ts";

/** A server that counts requests, and the world around it. */
function createServerWorld(seed = 1) {
  const world = new World({ seed });
  world.network.conditions.slow = 0;
  const served: string[] = [];
  const server = world.process("server", ({ listen, sleep }) => {
    listen("server.example", async (request, from) => {
      served.push(`${from} ${request.method} ${await request.text()}`);
      await sleep(50);
      return Response.json({ ok: true }, { status: 201, headers: { "x-answer": "yes" } });
    });
  });
  return { world, served, server };
}

test("a request carries method, headers and body, and the answer arrives as it was made", async () => {
  const { world, served } = createServerWorld();
  world.process("client", async ({ fetch }) => {
    const response = await fetch("http://server.example/path", { method: "POST", body: "hello" });
    world.record("answer", {
      status: response.status,
      header: response.headers.get("x-answer"),
      json: await response.json(),
    });
  });
  await world.run(1_000);
  assert.deepEqual(served, ["client POST hello"]);
  assert.deepEqual(world.history[0]?.data, { status: 201, header: "yes", json: { ok: true } });
});

test("a process that is down refuses connections, a crash resets them, and a loss of power leaves them silent", async () => {
  const { world, server } = createServerWorld();
  world.process("client", async ({ fetch, sleep }) => {
    const ask = async (name: string, host = "server.example") => {
      const failure = await fetch(`http://${host}/`).then(
        () => "none",
        (error: Error) => (error.cause as { code: string }).code,
      );
      world.record(name, { failure });
    };
    void ask("reset");
    await sleep(1_000);
    await ask("refused");
    await ask("unknown", "nowhere.example");
    server.start();
    await sleep(10);
    void ask("silent");
    await sleep(30);
    server.crash({ power: true });
  });
  world.after(30, () => server.crash());
  await world.run(60_000);
  assert.deepEqual(
    world.history.map(({ kind, data }) => [kind, data["failure"]]),
    [
      ["reset", "ECONNRESET"],
      ["refused", "ECONNREFUSED"],
      ["unknown", "ENOTFOUND"],
    ],
  );
});

test("a cut loses messages in one direction, isolation in both, until it ends", async () => {
  const { world, served } = createServerWorld();
  const answers: string[] = [];
  world.process("client", async ({ fetch, sleep }) => {
    for (const body of ["answers are cut", "all is cut", "healed"]) {
      void fetch("http://server.example/", { method: "POST", body }).then(() => answers.push(body));
      await sleep(1_000);
    }
  });
  const heal = world.network.cut("server", "client");
  let end = () => undefined as void;
  world.after(500, () => {
    heal();
    heal();
    end = world.network.isolate("server");
  });
  world.after(1_500, () => end());
  await world.run(10_000);
  assert.deepEqual(served, ["client POST answers are cut", "client POST healed"]);
  assert.deepEqual(answers, ["healed"]);
});

test("a caller that aborts stops waiting, and gets the reason", async () => {
  const { world } = createServerWorld();
  world.process("client", async ({ fetch }) => {
    const given = AbortSignal.abort(new Error("given up before"));
    await fetch("http://server.example/", { signal: given }).catch((error: Error) =>
      world.record(error.message),
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("given up")), 20);
    await fetch("http://server.example/", { signal: controller.signal }).catch((error: Error) =>
      world.record(error.message),
    );
  });
  await world.run(1_000);
  assert.deepEqual(
    world.history.map(({ kind }) => kind),
    ["given up before", "given up"],
  );
});

test("messages are dropped, doubled and overtake each other as often as the conditions say", async () => {
  const { world, served } = createServerWorld();
  Object.assign(world.network.conditions, { drop: 0.2, duplicate: 0.2, slow: 0.2 });
  const answers: number[] = [];
  world.process("client", async ({ fetch, sleep }) => {
    for (let number = 0; number < 1_000; number++) {
      void fetch("http://server.example/", { method: "POST", body: String(number) }).then(() =>
        answers.push(number),
      );
      await sleep(10);
    }
  });
  await world.run(60_000);
  // A request arrives with 0.8 per copy, and 1.2 copies are sent: 960. An answer also needs its way back.
  assert.ok(Math.abs(served.length - 960) < 80, `${served.length} requests arrived`);
  assert.ok(answers.length > 600 && answers.length < 800, `${answers.length} answers arrived`);
  assert.ok(
    answers.some((number, index) => number < (answers[index - 1] ?? 0)),
    "one answer overtook another",
  );
});

test("requests to a host with two servers reach both, and only those that are up answer", async () => {
  const world = new World({ seed: 1 });
  const starts = ["one", "two"].map((name) =>
    world.process(name, ({ listen }) => listen("both.example", () => new Response(name))),
  );
  const answers: string[] = [];
  world.process("client", async ({ fetch, sleep }) => {
    for (let number = 0; number < 100; number++) {
      answers.push(
        await fetch("http://both.example/").then(
          async (response) => await response.text(),
          () => "refused",
        ),
      );
      await sleep(10);
    }
  });
  world.after(1, () => starts[1]?.crash());
  await world.run(60_000);
  assert.deepEqual([...new Set(answers)].toSorted(), ["one", "refused"]);
});

test("a handler that throws is a 500, and is recorded", async () => {
  const world = new World({ seed: 1 });
  world.process("server", ({ listen }) => {
    listen("server.example", () => {
      throw new Error("the handler failed");
    });
  });
  world.process("client", async ({ fetch }) =>
    world.record("status", { status: (await fetch("http://server.example/")).status }),
  );
  await world.run(10_000);
  assert.deepEqual(
    world.history.map(({ kind }) => kind),
    ["uncaught", "status"],
  );
  assert.deepEqual(world.history[1]?.data, { status: 500 });
});

test("a server learns that its caller has gone, unless the message is lost", async () => {
  for (const isCut of [false, true]) {
    const world = new World({ seed: 1 });
    world.network.conditions.slow = 0;
    world.process("server", ({ listen, sleep }) => {
      listen("server.example", async ({ signal }) => {
        await sleep(1_000);
        world.record("served", { hasGone: signal.aborted });
        return new Response("late");
      });
    });
    const client = world.process("client", async ({ fetch, sleep }) => {
      void fetch("http://server.example/", { signal: AbortSignal.timeout(100) }).catch(() => undefined);
      await sleep(200);
      void fetch("http://server.example/").catch(() => undefined);
    });
    if (isCut) world.after(50, () => void world.network.cut("client", "server"));
    world.after(400, () => client.crash());
    await world.run(5_000);
    assert.deepEqual(
      world.history.map(({ data }) => data["hasGone"]),
      isCut ? [false] : [true, true],
    );
  }
});

test("a server does not learn of an abort or a crash of its caller after the answer has arrived", async () => {
  for (const ending of ["abort", "crash"]) {
    const { world, signals } = createSignalWorld();
    const client = world.process("client", async ({ fetch, sleep }) => {
      const controller = new AbortController();
      assert.equal((await fetch("http://server.example/", { signal: controller.signal })).status, 200);
      await sleep(100);
      if (ending === "abort") controller.abort();
    });
    world.after(1_000, () => client.crash());
    await world.run(5_000);
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false],
      ending,
    );
  }
});

/** A world with a server that keeps the signal of each request. */
function createSignalWorld(): { world: World; signals: AbortSignal[] } {
  const world = new World({ seed: 1 });
  const signals: AbortSignal[] = [];
  world.process("server", ({ listen }) => {
    listen("server.example", ({ signal }) => {
      signals.push(signal);
      return new Response("ok");
    });
  });
  return { world, signals };
}
