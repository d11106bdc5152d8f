import type { PlantedBug } from "./planted-bug.ts";

const connection = { room: "connections", file: "connections/connection.ts" } as const;
const sweeper = { room: "connections", file: "connections/sweeper.ts" } as const;
const registry = { room: "connections", file: "connections/registry.ts" } as const;

/** Bugs of live connections. */
export const connectionBugs: readonly PlantedBug[] = [
  {
    ...sweeper,
    name: "a sweep decides on no connection",
    from: "      connection.reevaluate();\n",
    to: "",
  },
  {
    ...sweeper,
    name: "only one sweep is made",
    from: "    if (connections.size > 0) this.#schedule(this.#isSweepRequested ? this.#soonMs : SWEEP_INTERVAL_MS);",
    to: "",
  },
  {
    ...connection,
    name: "a message is accepted without a decision",
    from: "const mayDeliver = this.#queue === null && this.reevaluate();",
    to: "const mayDeliver = this.#queue === null && this.#admission !== null;",
  },
  {
    ...connection,
    name: "a new token is confirmed and not kept",
    from: "      this.#setAdmission(outcome, decision);\n      this.#registry.recordRefresh(decision);",
    to: "      this.#registry.recordRefresh(decision);",
  },
  {
    ...connection,
    name: "a connection takes the token of another user",
    from: `if (!this.#registry.isSameSubject(this.#auth, decision)) this.close("other_subject");\n    else if`,
    to: "if",
  },
  {
    ...connection,
    name: "a closed connection takes messages",
    from: "    this.#isClosed = true;\n    this.#queue = null;",
    to: "    this.#queue = null;",
  },
  {
    ...connection,
    name: "an expiry is not announced",
    from: "if (clock.now() < this.#warnAt) return;",
    to: "if (clock.now() < this.#warnAt + 86_400_000) return;",
  },
  {
    ...connection,
    name: "an expiry is announced in each sweep",
    from: "    this.#warnAt = Infinity;\n    this.#sendControl",
    to: "    this.#sendControl",
  },
  {
    room: "connections",
    file: "connections/message-queue.ts",
    name: "waiting messages are delivered in the wrong order",
    forced: ["authority", "sockets"],
    from: "const message = this.#messages.shift();",
    to: "const message = this.#messages.pop();",
  },
  {
    ...connection,
    name: "waiting messages are dropped",
    forced: ["authority", "sockets"],
    from: "      this.#callApplication((transport) => transport.deliver(message));\n",
    to: "      void message;\n",
  },
  {
    ...connection,
    name: "waiting messages have no limit",
    forced: ["authority", "sockets"],
    from: "this.#queue?.isFull === true",
    to: "this.#queue?.isFull === null",
  },
  {
    ...connection,
    name: "an outage ends a connection at once",
    forced: ["calm", "authority", "sockets"],
    from: "if (elapsedMs(clock, this.#unconfirmedSince) >= unconfirmedMs) this.#closeFor(decision);",
    to: "if (unconfirmedMs >= 0) this.#closeFor(decision);",
  },
  {
    ...connection,
    name: "a connection without a token stays",
    from: `if (this.#due.isOver() && !this.#isChecking) this.close("token_missing");`,
    to: "",
  },
  {
    ...registry,
    name: "a closed connection is counted",
    from: "    this.connections.delete(connection);\n    this.#pending.delete(connection);\n    if (code",
    to: "    if (code",
  },
  {
    ...registry,
    name: "a user keeps the places of closed connections",
    from: "      if (others > 0) this.#subjects.set(key, others);\n      else this.#subjects.delete(key);",
    to: "      if (others > 0) this.#subjects.set(key, others + 1);",
  },
  {
    ...registry,
    name: "a user has any number of connections",
    from: "return isUser && key !== null",
    to: "return !isUser && key !== null",
  },
];
