import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption, rejectUnknownOptions, requireMethods, readString } from "../core/options.ts";
import { ProxyControl, type ProxyMode } from "./proxy/control.ts";
import { Pump } from "./proxy/pump.ts";
import { reset } from "./proxy/reset.ts";

export interface FaultProxyOptions {
  /** The server's URL: `http://127.0.0.1:4180`, `redis://127.0.0.1:6379`. */
  target: string;
  /** Latencies and periods run on it. */
  clock?: Clock;
}

/** A TCP proxy with faults to switch on, in front of any server: HTTP, Redis, TLS passed through. */
export interface FaultProxy {
  /** The target's URL by way of the proxy. */
  readonly url: string;
  readonly port: number;
  /** Clients' connections: those open now, and all there ever were. */
  readonly connections: { readonly open: number; readonly accepted: number };
  /** From now on, on open connections too. At first it passes. Throws `invalid_option`. */
  set(mode: ProxyMode): void;
  /** Cuts every connection and stops listening. Resolves when nothing of it is open any more. */
  close(): Promise<void>;
}

const defaultPorts: Readonly<Record<string, string>> = { "http:": "80", "https:": "443", "redis:": "6379" };

/** Listens on a free port of 127.0.0.1. Throws `invalid_option` or `missing_method`. */
export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  rejectUnknownOptions("createFaultProxy", options, ["target", "clock"]);
  const { clock = systemClock } = options;
  requireMethods("createFaultProxy", "clock", clock, ["now", "monotonic", "after"]);
  const url = URL.parse(readString("target", options.target));
  const host = url?.hostname.replaceAll(/^\[|\]$/g, "") ?? "";
  const address = { host, port: Number(url?.port || defaultPorts[url?.protocol ?? ""]) };
  if (url === null || host === "" || !(address.port > 0)) {
    throw invalidOption("target", "a URL with a host and a port", options.target);
  }
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let accepted = 0;
  const control = new ProxyControl(clock, () => {
    if (control.mode.kind === "refuse") for (const socket of sockets) reset(socket);
  });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    accepted++;
    if (control.mode.kind === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ ...address, allowHalfOpen: true, noDelay: true });
    new Pump(client, target, control, clock, false).start();
    new Pump(target, client, control, clock, true).start();
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    clients.add(client);
    client.once("close", () => clients.delete(client));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href.replace(/\/$/, ""),
    port,
    get connections() {
      return { open: clients.size, accepted };
    },
    set: (mode) => control.set(mode),
    async close() {
      const closed = [...sockets].map(async (socket) => {
        await new Promise((resolve) => socket.once("close", resolve));
      });
      closed.push(server[Symbol.asyncDispose]());
      control.set({ kind: "refuse" });
      await Promise.all(closed);
    },
  };
}
