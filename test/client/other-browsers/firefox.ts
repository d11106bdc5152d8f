import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { asJson, missing, type SystemBrowser, type Tab } from "./tab.ts";

export const noFirefox: string | false = missing(["firefox-esr"]);

interface Answer {
  readonly id?: number;
  readonly type: string;
  readonly message?: string;
  readonly result?: Record<string, unknown>;
}

/** A session of WebDriver BiDi. */
class BidiSession {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  async send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const answer = await promise;
    this.#waiting.delete(id);
    if (answer.type !== "success") throw new Error(`${method}: ${answer.message}`);
    return answer.result ?? {};
  }
}

/** Starts the Firefox of the system. Playwright drives only a Firefox that is newer than the extended support release. */
export async function startFirefox(): Promise<SystemBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "holdfast-firefox-"));
  const args = [
    "--headless",
    "--no-remote",
    "--profile",
    profile,
    "--remote-debugging-port",
    "0",
    "about:blank",
  ];
  const child = spawn("firefox-esr", args, { stdio: ["ignore", "ignore", "pipe"] });
  const socket = new WebSocket(`${await readAddress(child)}/session`);
  await once(socket, "open");
  const session = new BidiSession(socket);
  const { capabilities } = await session.send("session.new", { capabilities: {} });
  return {
    version: String((capabilities as Record<string, unknown>)["browserVersion"]),
    open: async (url) => await openTab(session, url),
    async close() {
      const exited = once(child, "exit");
      await session.send("browser.close", {});
      await exited;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

async function readAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface(child.stderr as Readable)) {
    const address = /BiDi listening on (ws:\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      child.stderr?.resume(); // A full pipe would stop the browser.
      return address;
    }
  }
  throw new Error("Firefox ended before it was ready");
}

async function openTab(session: BidiSession, url: string): Promise<Tab> {
  const { context } = await session.send("browsingContext.create", { type: "tab" });
  await session.send("browsingContext.navigate", { context, url, wait: "complete" });
  return {
    async evaluate<T>(expression: string) {
      const target = { context };
      const sent = { expression: asJson(expression), target, awaitPromise: true };
      const { result, exceptionDetails } = await session.send("script.evaluate", sent);
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return JSON.parse((result as { value: string }).value) as T;
    },
    close: async () => void (await session.send("browsingContext.close", { context })),
  };
}
