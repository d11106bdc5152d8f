import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";

/** Forwards between clients and a server, and can silently drop the server's answers. */
export class UnresponsiveProxy {
  readonly #server = createServer((client) => this.#join(client));
  readonly #pairs = new Set<{ client: Socket; server: Socket; sent: string; isSilenced: boolean }>();
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Forwards to `port` of this machine. */
  static async start(port: number): Promise<UnresponsiveProxy> {
    const proxy = new UnresponsiveProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Drops all further answers on the connections that have sent `text`, but not on later ones. Returns their number. */
  silence(text: string): number {
    const meant = [...this.#pairs].filter(({ sent, isSilenced }) => sent.includes(text) && !isSilenced);
    for (const pair of meant) pair.isSilenced = true;
    return meant.length;
  }

  close(): void {
    this.#server.close();
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  #join(client: Socket): void {
    const server = connect(this.#port, "127.0.0.1");
    const pair = { client, server, sent: "", isSilenced: false };
    this.#pairs.add(pair);
    client.on("data", (data) => {
      pair.sent += data.toString("latin1");
      server.write(data);
    });
    server.on("data", (data) => {
      if (!pair.isSilenced) client.write(data);
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }
}
