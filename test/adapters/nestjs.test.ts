import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Controller, Get, UseGuards, type INestApplication } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Auth, protect, type ValidVerdict } from "../../src/adapters/nestjs.ts";
import { adapterContract, over, type Send } from "./contract.ts";

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
