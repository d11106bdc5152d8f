import type { Connection } from "holdfast/connections";
import type { RawData, WebSocket } from "ws";

/** Everybody who is in, and what each of them was told last. */
export class Room {
  readonly #members = new Map<WebSocket, { name: string; auth: Connection; told: string }>();
  readonly #isPluggedIn: () => boolean;

  constructor(isPluggedIn: () => boolean) {
    this.#isPluggedIn = isPluggedIn;
    setInterval(() => this.#tellState(), 250);
  }

  /** The socket's token was good. Whatever it says from now on comes only while one is. */
  enter(socket: WebSocket, auth: Connection): void {
    const name = auth.auth?.subject ?? "";
    this.#members.set(socket, { name, auth, told: "" });
    this.#tell({ type: "joined", name });
    socket.on("message", (data: RawData) => {
      this.#tell({ type: "said", name, text: (data as Buffer).toString("utf8", 0, 500) });
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#members.delete(socket);
      this.#tell({ type: "left", name });
    });
  }

  #tell(message: object): void {
    for (const socket of this.#members.keys()) socket.send(JSON.stringify(message));
  }

  /** Who is there, whether the plug is in, and whether the provider was asked about the member's own token. */
  #tellState(): void {
    const names = [...new Set([...this.#members.values()].map(({ name }) => name))].toSorted();
    for (const [socket, member] of this.#members) {
      const degraded = member.auth.auth?.degraded?.cause ?? null;
      const said = JSON.stringify({ type: "state", pluggedIn: this.#isPluggedIn(), degraded, names });
      if (said === member.told) continue;
      member.told = said;
      socket.send(said);
    }
  }
}
