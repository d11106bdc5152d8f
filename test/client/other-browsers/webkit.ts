import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { freePort } from "../../support/free-port.ts";
import { asJson, missing, type SystemBrowser, type Tab } from "./tab.ts";

const [miniBrowser] = globSync("/usr/lib/*/webkit2gtk-4.1/MiniBrowser");

export const noWebkit: string | false =
  missing(["WebKitWebDriver", "Xvfb"]) || (miniBrowser === undefined && "not installed: MiniBrowser");

/** Starts the WebKitGTK of the system, on a display without a screen. It speaks the WebDriver protocol. */
export async function startWebkit(): Promise<SystemBrowser> {
  const display = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "800x600x24"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const [number] = (await once(display.stdio[3] as NodeJS.ReadableStream, "data")) as [Buffer];
  const port = await freePort();
  const driver = spawn("WebKitWebDriver", [`--port=${port}`], {
    stdio: "ignore",
    // Its sandbox cannot start in a container.
    env: {
      ...process.env,
      DISPLAY: `:${number.toString().trim()}`,
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    },
  });
  const root = `http://127.0.0.1:${port}`;
  await untilReady(root);
  const options = { binary: miniBrowser, args: ["--automation"] };
  const created = await ask(root, "POST", "/session", {
    capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } },
  });
  const { sessionId, capabilities } = created as {
    sessionId: string;
    capabilities: { browserVersion: string };
  };
  const session = `${root}/session/${sessionId}`;
  const inTurn = queue();
  const first = await ask(session, "GET", "/window");
  return {
    version: capabilities.browserVersion,
    async open(url) {
      // A new tab needs a current window, and the last test has closed its own.
      await inTurn(async () => await ask(session, "POST", "/window", { handle: first }));
      return await openTab(session, url, inTurn);
    },
    async close() {
      await inTurn(async () => await ask(session, "DELETE", ""));
      const exited = [once(driver, "exit"), once(display, "exit")];
      driver.kill();
      display.kill();
      await Promise.all(exited);
    },
  };
}

async function untilReady(root: string): Promise<void> {
  for (;;) {
    const isReady = await fetch(`${root}/status`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ask(root: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(root + path, { method, ...(body && { body: JSON.stringify(body) }) });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
  return value;
}

type Queue = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs one piece of work after another, because a session has one current window. */
function queue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const result = last.then(work, work);
    last = result;
    return await result;
  };
}

async function openTab(session: string, url: string, inTurn: Queue): Promise<Tab> {
  const handle = await inTurn(async () => {
    const opened = (await ask(session, "POST", "/window/new", { type: "tab" })) as { handle: string };
    await ask(session, "POST", "/window", { handle: opened.handle });
    await ask(session, "POST", "/url", { url });
    return opened.handle;
  });
  const inWindow = async <T>(work: () => Promise<T>) =>
    await inTurn(async () => {
      await ask(session, "POST", "/window", { handle });
      return await work();
    });
  return {
    async evaluate<T>(expression: string) {
      const failed = `(error) => arguments[0](JSON.stringify({ error: String(error) }))`;
      const script = `${asJson(expression)}.then((json) => arguments[0]('{"value":' + json + "}"), ${failed})`;
      const json = await inWindow(
        async () => await ask(session, "POST", "/execute/async", { script, args: [] }),
      );
      const { value, error } = JSON.parse(String(json)) as { value: T; error?: string };
      if (error !== undefined) throw new Error(error);
      return value;
    },
    close: async () => void (await inWindow(async () => await ask(session, "DELETE", "/window"))),
  };
}
