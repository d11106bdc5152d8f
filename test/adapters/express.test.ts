import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import express, { type ErrorRequestHandler, type Express } from "express";
import { protect } from "../../src/adapters/express.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp } from "./http-contract.ts";
import { bearer, serving, type Send } from "./http-client.ts";

async function listen(t: TestContext, app: Express): Promise<Send> {
  return await serving(t, app.listen(0, "127.0.0.1"));
}

testProtect({
  name: "Express",
  protect,
  async serve(t, guard, chain, handle) {
    const app = express();
    const protections = chain.map((rules) => protect(guard, rules));
    app.all("/", ...protections, (req, res) => void res.send(handle(req.auth)));
    return await listen(t, app);
  },
});

test("protects a mounted router, and applies the further rules of a route in it", async (t) => {
  const { provider, guard } = await setUp(t);
  const orders = express.Router();
  orders.get("/", (req, res) => void res.send(req.auth.subject));
  orders.get("/all", protect(guard, { scopes: ["admin"] }), (_, res) => void res.send("all"));
  const app = express();
  app.use("/orders", protect(guard), orders);
  app.get("/open", (req, res) => void res.send(typeof req.auth));
  const send = await listen(t, app);
  const headers = [bearer(provider.token({ sub: "alice" }))];
  assert.equal((await send({ path: "/orders" })).status, 401);
  assert.equal((await send({ path: "/orders", headers })).body, "alice");
  assert.equal((await send({ path: "/orders/all", headers })).status, 403);
  assert.equal((await send({ path: "/orders/none", headers })).status, 404);
  assert.equal((await send({ path: "/open", headers })).body, "undefined");
});

test("error handlers see the errors of handlers, and no refusals", async (t) => {
  const { provider, guard } = await setUp(t);
  const seen: unknown[] = [];
  const onError: ErrorRequestHandler = (error: Error, _req, res, _next) => {
    seen.push(error.message);
    res.status(500).end();
  };
  const app = express();
  app.use(protect(guard));
  app.get("/", async () => await Promise.reject(new Error("of the handler")));
  app.use(onError);
  const send = await listen(t, app);
  assert.equal((await send()).status, 401);
  assert.equal((await send({ headers: [bearer("nonsense")] })).status, 401);
  assert.deepEqual(seen, []);
  assert.equal((await send({ headers: [bearer(provider.token())] })).status, 500);
  assert.deepEqual(seen, ["of the handler"]);
});

test("refuses before a body parser reads the body, and leaves preflights to earlier middleware", async (t) => {
  const { guard } = await setUp(t);
  const app = express();
  app.options("/", (_, res) => void res.sendStatus(204));
  app.use(protect(guard));
  app.use(express.json());
  app.post("/", (_, res) => void res.end());
  const send = await listen(t, app);
  const headers = [["Content-Type", "application/json"]] as const;
  assert.equal((await send({ method: "POST", headers, body: "{" })).status, 401);
  assert.equal((await send({ method: "OPTIONS" })).status, 204);
  assert.equal((await send({ method: "OPTIONS", path: "/other" })).status, 401);
});
