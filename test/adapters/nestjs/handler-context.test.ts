import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpException } from "@nestjs/common";
import { ROUTE_ARGS_METADATA } from "@nestjs/common/constants.js";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { Auth, protect, type RequestRules, type ValidVerdict } from "../../../src/adapters/nestjs.ts";
import { setUp as setUpConnections, TestTransport } from "../../connections/fixture.ts";
import { setUp } from "../http-contract.ts";

type Factory = (data: unknown, context: ExecutionContextHost) => ValidVerdict | undefined;

/** Returns what the parameter decorator passes to a handler. */
function authOf(context: ExecutionContextHost): ValidVerdict | undefined {
  class Resolver {
    get(): void {}
  }
  Auth()(Resolver.prototype, "get", 0);
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, Resolver, "get") as Record<
    string,
    { factory: Factory }
  >;
  const [parameter] = Object.values(parameters);
  return parameter?.factory(undefined, context);
}

function contextOf(type: string, args: unknown[]): ExecutionContextHost {
  const context = new ExecutionContextHost(args);
  context.setType(type);
  return context;
}

const requestWith = (token: string) => ({
  headers: { authorization: `Bearer ${token}` },
  rawHeaders: ["Authorization", `Bearer ${token}`],
});

/** A response that records its headers. */
function createResponse() {
  const headers = new Map<string, unknown>();
  const setHeader = (name: string, value: unknown) => void headers.set(name, value);
  return { headers, setHeader, removeHeader: () => {}, once: () => {}, off: () => {} };
}

const graphql = (context: unknown) => contextOf("graphql", [{}, {}, context, { fieldName: "me" }]);

test("a resolver is protected by the request in its context, and gets the verdict", async (t) => {
  const { provider, guard } = await setUp(t);
  const protection = protect(guard, { scopes: ["read"] });
  for (const contextFor of [
    (req: object) => ({ req, res: createResponse() }),
    (req: object) => ({ req }),
    (request: object) => ({ request, reply: { raw: createResponse() } }),
  ]) {
    const request = requestWith(provider.token({ sub: "alice", scope: "read" }));
    const context = graphql(contextFor(request));
    assert.equal(await protection.canActivate(context), true);
    assert.equal(authOf(context)?.subject, "alice");
  }
});

test("a resolver refuses a request with the status and the challenge", async (t) => {
  const { provider, guard } = await setUp(t);
  const res = createResponse();
  const req = requestWith(provider.token({ scope: "other" }));
  const refused = protect(guard, { scopes: ["read"] }).canActivate(graphql({ req, res }));
  await assert.rejects(refused as Promise<boolean>, (error: HttpException) => error.getStatus() === 403);
  assert.match(String(res.headers.get("WWW-Authenticate")), /insufficient_scope/);
});

test("a context of GraphQL without a request, and a context of another type, are refused with the way out", async (t) => {
  const { guard } = await setUp(t);
  const protection = protect(guard);
  const activate = async (context: ExecutionContextHost) => await protection.canActivate(context);
  for (const context of [undefined, {}, { req: {} }]) {
    await assert.rejects(activate(graphql(context)), {
      code: "invalid_option",
      message: /return \{ req, res \} from its context function/,
    });
  }
  await assert.rejects(activate(contextOf("rpc", [])), { code: "invalid_option", message: /type rpc/ });
});

test("a subscription and a message of a gateway are decided by their live connection", async (t) => {
  const { guard, mint, connections, clock } = await setUpConnections();
  t.after(async () => await guard.close());
  const admission = await connections.admit(mint.token({ sub: "alice", scope: "chat" }));
  assert.ok(admission.status === "admitted");
  const auth = connections.open(new TestTransport(), admission);
  const contexts = [
    graphql({ extra: { request: { auth } } }),
    graphql({ req: { extra: { request: { auth } } } }),
    contextOf("ws", [{ data: { auth } }, "message"]),
    contextOf("ws", [{ auth }, "message"]),
  ];
  const check = async (context: ExecutionContextHost, rules?: RequestRules) =>
    await protect(guard, rules).canActivate(context);
  for (const context of contexts) {
    assert.equal(await check(context, { scopes: ["chat"] }), true);
    assert.equal(authOf(context)?.subject, "alice");
    await assert.rejects(check(context, { maxAuthAgeMs: 60_000 }), /the rule maxAuthAgeMs belongs to/);
  }
  const [subscription, , message] = contexts as [ExecutionContextHost, unknown, ExecutionContextHost];
  assert.equal(await check(message, { scopes: ["admin"] }), false);
  await assert.rejects(
    check(subscription, { scopes: ["admin"] }),
    (e: HttpException) => e.getStatus() === 403,
  );
  await clock.advance(700_000);
  assert.equal(await check(message), false);
  await assert.rejects(check(subscription), (error: HttpException) => error.getStatus() >= 401);
  // No `protect` of Holdfast let this socket in.
  assert.equal(await check(contextOf("ws", [{ data: {} }, "message"])), false);
  await connections.close();
});
