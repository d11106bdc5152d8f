import type { Clock } from "../../src/core/clock.ts";
import type { ErrorReply, Reply } from "./reply.ts";

/** One connection, as a server sees it. */
export interface ServerConnection {
  /** The replication offset after its last write, for `WAIT`. */
  lastWrite: number;
  /** Whether its last command was `ASKING`. */
  isAsking: boolean;
  /** Commands behind one that blocks the connection. `null` while no command blocks it. */
  behind: (() => void)[] | null;
  /** Called when the server ends the connection. */
  readonly onClosed: (error: Error) => void;
}

/** Receives the reply to one command. */
export type Answer = (reply: Reply | ErrorReply) => void;

interface BlockedCommand {
  /** Ends the command with the reply. */
  readonly end: (reply: Reply | ErrorReply) => void;
  /** Ends the command if its condition holds. */
  readonly check: () => void;
  readonly cancel: () => void;
}

/** The commands of a server that wait: for a replica, or for an entry of a stream. */
export class BlockedCommands {
  readonly #clock: Clock;
  readonly #whenRunning: (work: () => void) => void;
  readonly #commands = new Set<BlockedCommand>();

  /** `whenRunning` delays work while the server is frozen. */
  constructor(clock: Clock, whenRunning: (work: () => void) => void) {
    this.#clock = clock;
    this.#whenRunning = whenRunning;
  }

  /**
   * Answers as soon as `outcome` is not `null`, and after `ms` with the outcome of that moment. Other commands of the
   * connection run after the answer.
   */
  add(connection: ServerConnection, ms: number, answer: Answer, outcome: (isOver: boolean) => Reply): void {
    connection.behind = [];
    const check = (isOver: boolean) => {
      const reply = outcome(isOver);
      if (reply !== null) command.end(reply === "none" ? null : reply);
    };
    const onTimeout = () => {
      if (this.#commands.has(command)) check(true);
    };
    const cancel = this.#clock.after(ms, () => this.#whenRunning(onTimeout));
    const end = (reply: Reply | ErrorReply) => {
      cancel();
      this.#commands.delete(command);
      answer(reply);
      const behind = connection.behind ?? [];
      connection.behind = null;
      for (const work of behind) work();
    };
    const command: BlockedCommand = { end, cancel, check: () => check(false) };
    this.#commands.add(command);
    command.check();
  }

  /** Ends the commands whose conditions hold. */
  check(): void {
    for (const command of this.#commands) command.check();
  }

  /** Ends all commands with the error. */
  endAll(error: ErrorReply): void {
    for (const { end } of this.#commands) end(error);
  }

  /** Forgets all commands, as a crash does. */
  forget(): void {
    for (const { cancel } of this.#commands) cancel();
    this.#commands.clear();
  }
}
