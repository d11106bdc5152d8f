import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";

/** Forwards between clients and a server, and can silently drop the server's answers. */
export class UnresponsiveProxy {
  readonly #server = createServer((client) => this.#join(client));
  readonly #pairs = new Set<{ client: Socket; server: Socket; sent: string; isSilenced: boolean }>();
  readonly #port: number;
  /** The text after which a connection gets no answers. `null` while connections get answers. */
  #muted: string | null = null;
  #mutedCount = 0;

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

  /** How many open connections have sent `text`. */
  countSenders(text: string): number {
    return [...this.#pairs].filter(({ sent }) => sent.includes(text)).length;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Closes all connections. From now on each connection that sends `text` gets no further answer, and stays open. The
   * empty text silences every connection from its beginning.
   */
  mute(text: string): void {
    this.#muted = text;
    this.#mutedCount = 0;
    this.cut();
  }

  /** Ends `mute` for connections to come. Those that wait for an answer still get none. */
  unmute(): void {
    this.#muted = null;
  }

  /** How many connections wait for an answer since `mute`. */
  get mutedCount(): number {
    return this.#mutedCount;
  }

  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(client: Socket): void {
    const server = connect(this.#port, "127.0.0.1");
    const pair = { client, server, sent: "", isSilenced: false };
    this.#pairs.add(pair);
    const silenceIfMuted = () => {
      if (pair.isSilenced || this.#muted === null || !pair.sent.includes(this.#muted)) return;
      pair.isSilenced = true;
      this.#mutedCount++;
    };
    silenceIfMuted();
    client.on("data", (data) => {
      pair.sent += data.toString("latin1");
      silenceIfMuted();
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
