import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { Controller, All, Get, UseGuards, type HttpException, type INestApplication } from "@nestjs/common";
import { NestFactory, type AbstractHttpAdapter } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { Auth, protect, type ValidVerdict } from "../../src/adapters/nestjs.ts";
import { testProtect } from "./cookie-contract.ts";
import { setUp } from "./http-contract.ts";
import { bearer, sender, type Send } from "./http-client.ts";

async function listen(t: TestContext, app: INestApplication): Promise<Send> {
  t.after(async () => await app.close());
  await app.listen(0, "127.0.0.1");
  return sender((app.getHttpServer().address() as AddressInfo).port);
}

/** Applies decorators by calls, because Node does not support their syntax. */
function decorate(prototype: object, method: string, decorators: readonly MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, method) as PropertyDescriptor;
  for (const decorator of decorators) decorator(prototype, method, descriptor);
}

const platforms: [name: string, makeAdapter: () => AbstractHttpAdapter][] = [
  ["Express", () => new ExpressAdapter()],
  ["Fastify", () => new FastifyAdapter()],
];
for (const [platform, makeAdapter] of platforms) {
  const start = async (controller: new () => object): Promise<INestApplication> => {
    Controller()(controller);
    const root = { module: controller, controllers: [controller] };
    return await NestFactory.create(root, makeAdapter(), { logger: false });
  };

  testProtect({
    name: `NestJS with ${platform}`,
    protect,
    async serve(t, guard, chain, handle) {
      class Api {
        get(auth: ValidVerdict): string {
          return handle(auth);
        }
      }
      Auth()(Api.prototype, "get", 0);
      const guards = chain.map((rules) => protect(guard, rules));
      decorate(Api.prototype, "get", [All(), UseGuards(...guards)]);
      return await listen(t, await start(Api));
    },
  });

  describe(`NestJS with ${platform}`, () => {
    test("a global guard protects every handler, and the rules of a method apply in addition", async (t) => {
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

    test("an exception filter sees the refusal, and the headers are set before", async (t) => {
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
          app.getHttpAdapter().reply(host.switchToHttp().getResponse(), "", 418);
        },
      });
      const send = await listen(t, app);
      const answer = await send();
      const body = { error: "unauthorized", error_description: "A bearer token is needed." };
      assert.deepEqual(seen, [401, body]);
      assert.deepEqual([answer.status, answer.headers["www-authenticate"]], [418, 'Bearer realm="api"']);
    });
  });
}
