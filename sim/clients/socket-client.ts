import type { ProcessContext, SimulatedProcess } from "../../src/testing/simulation/index.ts";
import { API_URL } from "../addresses.ts";
import { getSocket } from "../http.ts";
import { ClientSocket } from "../sockets/client-socket.ts";
import type { SocketNetwork } from "../sockets/simulated-socket.ts";
import { ClientSession, type ClientParts, type SessionOwner, type StoredTokens } from "./session.ts";

/** What a simulated user does with a connection. Each start of the client draws another one. */
interface Habits {
  /** Sends the token in the first message, not in the handshake. */
  readonly tokenFirst: boolean;
  /** Sends a new token when the server says that the current one expires. */
  readonly renews: boolean;
  /** Sends messages. An idle connection must end as well. */
  readonly talks: boolean;
}

const MESSAGE_BYTES = 200;
/** A flood has so many messages of this size. Together they are more than a server keeps while it checks a token. */
const FLOOD = { messages: 12, bytes: 40_000 } as const;
const EAGER = { messages: 4, bytes: 200 } as const;
/** A client without a token sends nothing for so long at most. */
const SILENCE_MS = 40_000;
/** A client that has heard nothing of the end of its connection gives up so long after the expiry of its token. */
const GIVE_UP_MS = 60_000;
const PAUSE_MS = 1_500;
const LONG_PAUSE_MS = 15_000;
const RETRY_MS = 2_000;

/** Keeps a WebSocket open, as an application does, and sometimes behaves badly. */
export class SocketClient {
  readonly #context: ProcessContext;
  readonly #parts: ClientParts;
  readonly #session: ClientSession;
  readonly #user: string;
  readonly #habits: Habits;
  readonly #sockets: SocketNetwork;
  readonly #process: () => SimulatedProcess;

  constructor(
    context: ProcessContext,
    parts: ClientParts & { readonly sockets: SocketNetwork; readonly process: () => SimulatedProcess },
    owner: SessionOwner,
  ) {
    const { random } = context;
    this.#context = context;
    this.#parts = parts;
    this.#session = new ClientSession(context, parts, owner);
    this.#user = owner.user;
    this.#sockets = parts.sockets;
    this.#process = parts.process;
    this.#habits = { tokenFirst: random() < 0.3, renews: random() < 0.7, talks: random() < 0.7 };
  }

  /** Runs until the process ends. */
  async run(): Promise<void> {
    const { sleep, random, clock } = this.#context;
    const session = this.#session;
    for (;;) {
      await sleep(RETRY_MS * 2 * random());
      const { held } = session;
      if (held === null) await session.logIn();
      else if (held.expiresAt - clock.now() < 1_000) await session.refresh(held);
      else if (random() < 0.05) await this.#waitWithoutToken();
      else await this.#connect(held);
    }
  }

  async #connect(tokens: StoredTokens): Promise<void> {
    const { recorder } = this.#parts;
    const { tokenFirst } = this.#habits;
    const token = recorder.nameOf(tokens.access);
    const answer = recorder.call("connect", { token, user: this.#user, session: tokens.session });
    const { status, socket: name } = await getSocket(
      this.#context,
      `${API_URL}/socket`,
      tokenFirst ? null : tokens.access,
    );
    answer({ status, socket: name });
    if (name === null) {
      // A 401 says that the token is of no use any more.
      if (status === 401) await this.#session.refresh(tokens);
      return;
    }
    const live = this.#take(name, !tokenFirst);
    if (tokenFirst) {
      void live.present(tokens.access, false);
      // These messages arrive while the server checks the token.
      const isFlood = this.#context.random() < 0.2;
      const { messages, bytes } = isFlood ? FLOOD : EAGER;
      for (let count = 0; count < messages; count++) live.talk(bytes);
    }
    await this.#use(live, tokens);
  }

  #take(name: string, isAccepted: boolean): ClientSocket {
    const end = this.#sockets.take(name, this.#process());
    return new ClientSocket(end, { name, isAccepted, recorder: this.#parts.recorder });
  }

  /** Uses the connection until it is over. */
  async #use(live: ClientSocket, first: StoredTokens): Promise<void> {
    const { sleep, random, clock } = this.#context;
    const { renews, talks } = this.#habits;
    let tokens = first;
    live.onExpiring = () => {
      if (!renews || this.#session.held === null) return;
      void this.#renew(live, this.#session.held).then((renewed) => (tokens = renewed ?? tokens));
    };
    while (live.isOpen) {
      await sleep((talks ? PAUSE_MS : LONG_PAUSE_MS) * 2 * random());
      const choice = random();
      const { held } = this.#session;
      if (clock.now() > tokens.expiresAt + GIVE_UP_MS) live.close();
      else if (choice < 0.01 && held !== null) await this.#session.logOut(held);
      else if (choice < 0.02) live.close();
      else if (choice < 0.04) await this.#presentForeign(live);
      else if (choice < 0.06 && held !== null) this.#flood(live, held);
      else if (talks) live.talk(MESSAGE_BYTES);
    }
    // The token was revoked, so another one of the same session is of no use.
    if (live.code === 4503 && this.#session.held?.session === tokens.session) {
      await this.#session.refresh(this.#session.held);
    }
  }

  /** Refreshes the token, and presents the new one over the connection. */
  async #renew(live: ClientSocket, before: StoredTokens): Promise<StoredTokens | null> {
    await this.#session.refresh(before);
    const { held } = this.#session;
    if (held === null || !live.isOpen) return null;
    await live.present(held.access, false);
    return held;
  }

  /** Presents the token of another user, which must not change whose connection it is. */
  async #presentForeign(live: ClientSocket): Promise<void> {
    const { random } = this.#context;
    const others = this.#parts.leaks.access.filter(({ user }) => user !== this.#user);
    const other = others[Math.floor(random() * others.length)];
    if (other === undefined) return;
    const presented = live.present(other.access, true);
    // The server must not take them after it has closed the connection.
    for (let count = 0; count < EAGER.messages; count++) live.talk(EAGER.bytes);
    await presented;
  }

  /** Presents the token again, and sends more than a server keeps while it checks. */
  #flood(live: ClientSocket, { access }: StoredTokens): void {
    void live.present(access, false);
    for (let number = 0; number < FLOOD.messages; number++) live.talk(FLOOD.bytes);
  }

  /** Opens a connection and never sends a token. */
  async #waitWithoutToken(): Promise<void> {
    const { socket: name } = await getSocket(this.#context, `${API_URL}/socket`, null);
    if (name === null) return;
    const live = this.#take(name, false);
    await this.#context.sleep(SILENCE_MS);
    live.close();
  }
}
