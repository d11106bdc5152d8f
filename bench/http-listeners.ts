import type { RequestListener } from "node:http";
import { BlockList } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Controller, Get, Res, UseGuards } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import { protect as protectExpress } from "../src/adapters/express.ts";
import { protect as protectFastify } from "../src/adapters/fastify.ts";
import { protect as protectHono } from "../src/adapters/hono.ts";
import { protect as protectNest } from "../src/adapters/nestjs.ts";
import { protect } from "../src/adapters/node-http.ts";
import type { Guard } from "../src/guard/types.ts";
import { parsePathPattern, type PathRule } from "../src/gateway/policy.ts";
import { createGateway } from "../src/gateway/gateway.ts";

const rules = { scopes: ["orders:read"] };

/** A policy of that many rules. The last but one accepts the request. */
function policy(count: number): PathRule[] {
  const paths = Array.from({ length: count - 2 }, (_, i) => `/service-${i}/*`);
  return [...paths, "/orders/*", "/*"].flatMap((text) => {
    const path = parsePathPattern(text);
    return path === null ? [] : [{ host: "api.example.com", path, methods: ["GET"], requirements: rules }];
  });
}

const here = new BlockList();
here.addAddress("127.0.0.1");

/** Creates the smallest listener of its kind that answers 204 at `/verify`, behind `guard` if one is given. */
type Make = (guard?: Guard) => RequestListener | Promise<RequestListener>;

export const listeners: Record<
  "node" | "gateway" | "policy" | "longPolicy" | "express" | "fastify" | "hono" | "nestjs",
  Make
> = {
  node(guard) {
    const answer: RequestListener = (_, res) => res.writeHead(204).end();
    return guard === undefined ? answer : protect(guard, rules, answer);
  },
  gateway: (guard) => createGateway(guard as Guard),
  policy: (guard) => createGateway(guard as Guard, { policy: policy(20), trustedProxies: here }),
  longPolicy: (guard) => createGateway(guard as Guard, { policy: policy(1_000), trustedProxies: here }),
  express(guard) {
    const app = express();
    if (guard !== undefined) app.use(protectExpress(guard, rules));
    return app.get("/verify", (_, res) => void res.status(204).end());
  },
  async fastify(guard) {
    const app = fastify();
    app.decorateRequest("auth", null as never);
    if (guard !== undefined) app.addHook("onRequest", protectFastify(guard, rules));
    app.get("/verify", async (_, reply) => await reply.code(204).send());
    await app.ready();
    return (req, res) => app.routing(req, res);
  },
  hono(guard) {
    const app = new Hono();
    if (guard !== undefined) app.use(protectHono(guard, rules));
    app.get("/verify", (c) => c.body(null, 204));
    const listener = getRequestListener(app.fetch);
    return (req, res) => void listener(req, res);
  },
  async nestjs(guard) {
    class Verify {
      get(res: { status(code: 204): { end(): void } }): void {
        res.status(204).end();
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Verify.prototype, "get") as PropertyDescriptor;
    Controller()(Verify);
    Get("verify")(Verify.prototype, "get", descriptor);
    Res()(Verify.prototype, "get", 0);
    if (guard !== undefined) UseGuards(protectNest(guard, rules))(Verify.prototype, "get", descriptor);
    const app = await NestFactory.create({ module: Verify, controllers: [Verify] }, { logger: ["error"] });
    await app.init();
    return app.getHttpAdapter().getInstance() as RequestListener;
  },
};
