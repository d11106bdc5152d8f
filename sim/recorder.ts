import type { World } from "../src/testing/simulation/index.ts";

/** What a client, an administrator or a guard did, as the history has it: a call, and its answer if it came. */
export type Operation =
  | "login"
  | "add user"
  | "password login"
  | "change password"
  | "set password"
  | "disable user"
  | "enable user"
  | "refresh"
  | "acknowledge"
  | "logout"
  | "end session"
  | "list sessions"
  | "end subject"
  | "rotate keys"
  | "request"
  | "connect"
  | "renew"
  | "served"
  | "health"
  | "visit"
  | "verify"
  | "message"
  | "close"
  | "verdict";

type Data = Readonly<Record<string, unknown>>;

/** Records calls and answers, and gives tokens short names so that the history contains no token. */
export class Recorder {
  readonly #world: Pick<World, "record">;
  readonly #names = new Map<string, string>();
  #operations = 0;

  /** `world` keeps the history. A test with real processes passes an object that keeps it elsewhere. */
  constructor(world: Pick<World, "record">) {
    this.#world = world;
  }

  /** A short name of a token: the same for the same token. */
  nameOf(token: string): string {
    const known = this.#names.get(token);
    if (known !== undefined) return known;
    const name = `t${this.#names.size + 1}`;
    this.#names.set(token, name);
    return name;
  }

  /** Records a call. Returns the function that records its answer. */
  call(operation: Operation, data: Data): (answer: Data) => void {
    const id = ++this.#operations;
    this.#world.record("call", { id, operation, ...data });
    return (answer) => this.#world.record("answer", { id, ...answer });
  }

  /** Tokens that a client got, as the history has them. */
  issued(tokens: {
    readonly session: string;
    readonly refresh: string;
    readonly access: string;
    readonly expiresAt: number;
  }): Data {
    const { session, expiresAt } = tokens;
    return { session, refresh: this.nameOf(tokens.refresh), access: this.nameOf(tokens.access), expiresAt };
  }

  record(kind: string, data: Data): void {
    this.#world.record(kind, data);
  }
}
