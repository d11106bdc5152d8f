import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import express, { type Express } from "express";
import { protect } from "../../src/adapters/express.ts";
import { adapterContract, over, type Send } from "./contract.ts";

async function listen(t: TestContext, app: Express): Promise<Send> {
  const server: Server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return over((server.address() as AddressInfo).port);
}

adapterContract({
  name: "Express",
  protect,
  async serve(t, guard, chain, handle) {
    const app = express();
    const protections = chain.map((rules) => protect(guard, rules));
    app.get("/", ...protections, (req, res) => void res.send(handle(req.auth)));
    return await listen(t, app);
  },
});
