import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { Controller, Get, HttpException, UseGuards, type INestApplication } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import { fastify } from "fastify";
import { Auth, protect, type ValidVerdict } from "../../src/adapters/nestjs.ts";
import { adapterContract, setUp } from "./contract.ts";
import { bearer, over, type Send } from "./sending.ts";

async function listen(t: TestContext, app: INestApplication): Promise<Send> {
  t.after(async () => await app.close());
  await app.listen(0, "127.0.0.1");
  return over((app.getHttpServer().address() as AddressInfo).port);
}

/** Decorators without their syntax, which Node does not strip. */
function decorate(prototype: object, method: string, decorators: readonly MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method) as PropertyDescriptor;
  for (const decorator of decorators) decorator(prototype, method, descriptor);
}

async function start(controller: new () => object): Promise<INestApplication> {
  Controller()(controller);
  const root = { module: controller, controllers: [controller] };
  return await NestFactory.create(root, { logger: false });
}

adapterContract({
  name: "NestJS",
  protect,
  async serve(t, guard, chain, handle) {
    class Api {
      get(auth: ValidVerdict): string {
        return handle(auth);
      }
    }
    Auth()(Api.prototype, "get", 0);
    decorate(Api.prototype, "get", [Get(), UseGuards(...chain.map((rules) => protect(guard, rules)))]);
    return await listen(t, await start(Api));
  },
});

test("a global guard protects every handler, and a method's own rules come on top", async (t) => {
  const { provider, guard } = await setUp(t);
  class Orders {
    mine(auth: ValidVerdict): string {
      return auth.subject;
    }
    all(): string {
      return "all";
    }
  }
  Auth()(Orders.prototype, "mine", 0);
  decorate(Orders.prototype, "mine", [Get("mine")]);
  decorate(Orders.prototype, "all", [Get("all"), UseGuards(protect(guard, { scopes: ["admin"] }))]);
  const app = await start(Orders);
  app.useGlobalGuards(protect(guard));
  const send = await listen(t, app);
  const headers = [bearer(provider.token({ sub: "alice" }))];
  assert.equal((await send({ path: "/mine" })).status, 401);
  assert.equal((await send({ path: "/mine", headers })).body, "alice");
  assert.equal((await send({ path: "/all", headers })).status, 403);
});

test("an exception filter sees the refusal, and its headers are set already", async (t) => {
  const { guard } = await setUp(t);
  class Api {
    get(): string {
      return assert.fail("reached");
    }
  }
  decorate(Api.prototype, "get", [Get(), UseGuards(protect(guard))]);
  const app = await start(Api);
  const seen: unknown[] = [];
  app.useGlobalFilters({
    catch(exception: HttpException, host) {
      seen.push(exception.getStatus(), exception.getResponse());
      host.switchToHttp().getResponse<ServerResponse>().writeHead(418).end();
    },
  });
  const send = await listen(t, app);
  const answer = await send();
  const body = { error: "unauthorized", error_description: "A bearer token is needed." };
  assert.deepEqual(seen, [401, body]);
  assert.deepEqual([answer.status, answer.headers["www-authenticate"]], [418, 'Bearer realm="api"']);
});

test("Fastify's requests and replies will do as well", async (t) => {
  const { provider, guard } = await setUp(t);
  const protection = protect(guard);
  const app = fastify();
  app.addHook("preHandler", async (request, reply) => {
    try {
      await protection.canActivate(new ExecutionContextHost([request, reply]));
    } catch (error) {
      assert.ok(error instanceof HttpException);
      return await reply.code(error.getStatus()).send(error.getResponse());
    }
    return undefined;
  });
  app.get("/", async (request) => (request as unknown as { auth: ValidVerdict }).auth.subject);
  t.after(async () => await app.close());
  const refused = await app.inject("/");
  assert.deepEqual([refused.statusCode, refused.headers["www-authenticate"]], [401, 'Bearer realm="api"']);
  const authorization = `Bearer ${provider.token({ sub: "alice" })}`;
  assert.equal((await app.inject().get("/").headers({ authorization })).body, "alice");
});

test("what is not HTTP is refused, not let through", async () => {
  const context = new ExecutionContextHost([]);
  context.setType("ws");
  const protection = protect({ authorize: async () => assert.fail("asked") });
  await assert.rejects(async () => await protection.canActivate(context), {
    code: "invalid_option",
    message: /HTTP handlers/,
  });
});
