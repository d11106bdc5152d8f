import { createAdaptorServer } from "@hono/node-server";
import type { AddressInfo } from "node:net";
import { handle } from "./app.ts";

/** The parts of Bun and Deno that serve requests. */
interface Runtimes {
  readonly Bun?: { serve(options: object): { readonly port: number } };
  readonly Deno?: {
    serve(options: object, handler: typeof handle): { readonly addr: { readonly port: number } };
  };
}

const { Bun, Deno } = globalThis as Runtimes;
const address = { port: 0, hostname: "127.0.0.1" };
const announce = (port: number) => console.log(`PORT ${port}`);

if (Bun !== undefined) announce(Bun.serve({ ...address, fetch: handle }).port);
else if (Deno !== undefined) announce(Deno.serve({ ...address, onListen: () => {} }, handle).addr.port);
else {
  const server = createAdaptorServer({ fetch: handle });
  server.listen(0, "127.0.0.1", () => announce((server.address() as AddressInfo).port));
}
