import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import {
  clockOption,
  invalidOption,
  option,
  readOptions,
  readString,
  type OptionTable,
} from "../core/options.ts";
import { ProxyControl, type ProxyMode } from "./proxy/control.ts";
import { Pump } from "./proxy/pump.ts";
import { reset } from "./proxy/reset.ts";

/** Options of `createFaultProxy`. */
export interface FaultProxyOptions {
  /** URL of the server: `http://127.0.0.1:4180`, `redis://127.0.0.1:6379`. */
  target: string;
  /** Times latencies and periods. Default: the system's clock. */
  clock?: Clock;
}

/** A TCP proxy with faults, in front of any server. It forwards bytes, so HTTP, Redis and TLS all work. */
export interface FaultProxy {
  /** The URL of the target, with the address of the proxy. */
  readonly url: string;
  readonly port: number;
  /** Client connections: those that are open, and all that were accepted. */
  readonly connections: { readonly open: number; readonly accepted: number };
  /** Sets the mode for open and new connections. The first mode is `pass`. Throws `invalid_option`. */
  set(mode: ProxyMode): void;
  /** Resets every connection and stops listening. Resolves when all sockets are closed. */
  close(): Promise<void>;
}

const OWNER = "createFaultProxy";
const defaultPorts: Readonly<Record<string, string>> = { "http:": "80", "https:": "443", "redis:": "6379" };

/** The address that a proxy connects to. */
interface ProxyTarget {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
}

/** The options of `createFaultProxy`. */
const faultProxyOptionTable: OptionTable<{ target: ProxyTarget; clock: Clock }> = {
  target: option(readTarget),
  clock: clockOption(OWNER),
};

/**
 * Starts a proxy on a free port of 127.0.0.1.
 *
 * Rejects with `invalid_option` or `missing_method`.
 *
 * @example
 * ```ts
 * import { createFaultProxy } from "holdfast/testing";
 *
 * const proxy = await createFaultProxy({ target: "redis://127.0.0.1:6379" });
 * // Connect the system under test to proxy.url, then make Redis slow.
 * proxy.set({ kind: "latency", ms: 200 });
 * await proxy.close();
 * ```
 */
export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { target, clock } = readOptions(OWNER, options, faultProxyOptionTable);
  const { url, host, port: targetPort } = target;
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
    const upstream = connect({ host, port: targetPort, allowHalfOpen: true, noDelay: true });
    new Pump(client, upstream, control, clock, false).start();
    new Pump(upstream, client, control, clock, true).start();
    for (const socket of [client, upstream]) {
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

function readTarget(name: string, value: unknown): ProxyTarget {
  const url = URL.parse(readString(name, value));
  const host = url?.hostname.replaceAll(/^\[|\]$/g, "") ?? "";
  const port = Number(url?.port || defaultPorts[url?.protocol ?? ""]);
  if (url === null || host === "" || !(port > 0)) {
    throw invalidOption(name, "a URL with a host and a port", value);
  }
  return { url, host, port };
}
