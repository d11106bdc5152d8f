import type { Connection } from "holdfast/connections";
import type { RawData, WebSocket } from "ws";

/** The members of the chat, and the last state that each member got. */
export class Room {
  readonly #members = new Map<WebSocket, { name: string; auth: Connection; told: string }>();
  readonly #isPluggedIn: () => boolean;

  constructor(isPluggedIn: () => boolean) {
    this.#isPluggedIn = isPluggedIn;
    setInterval(() => this.#tellState(), 250);
  }

  /** Adds a socket with an accepted token. Its messages arrive only while the token, or a newer one, is valid. */
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

  /** Sends each member the list of names, the state of the plug, and whether its own token was accepted without the provider. */
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
