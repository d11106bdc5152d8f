import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What the key endpoint does. A dripping body never ends. */
type Mode = "up" | "down" | "drip";

/** The key endpoint of a provider, whose requests are counted. */
export class KeyEndpoint {
  mode: Mode = "up";
  keys: readonly unknown[] = [];
  requests = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((_req, res) => {
      this.requests++;
      if (this.mode === "down") {
        res.destroy();
        return;
      }
      res.setHeader("content-type", "application/json");
      if (this.mode === "up") {
        res.end(JSON.stringify({ keys: this.keys }));
        return;
      }
      const timer = setInterval(() => res.write(" "), 500);
      res.once("close", () => clearInterval(timer));
    });
  }

  static async open(): Promise<KeyEndpoint> {
    const endpoint = new KeyEndpoint();
    endpoint.#server.listen(0, "127.0.0.1");
    await once(endpoint.#server, "listening");
    return endpoint;
  }

  /** The issuer. Its keys are at `/.well-known/jwks.json`. */
  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
