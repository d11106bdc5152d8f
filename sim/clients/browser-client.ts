import { createAuthClient, type AuthClient, type AuthRecord } from "./auth-client.ts";
import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { API_URL, AUTH_URL } from "../addresses.ts";
import { callApi, post } from "../http.ts";
import { parseTokens, remember, type ClientParts } from "./session.ts";

const MAX_TABS = 4;
/** How long the storage of a browser takes, milliseconds. */
const STORAGE_MS = 4;

/** A browser with several tabs, each with a client of `holdfast/client`. They share one storage, which survives a crash. */
export class BrowserClient {
  readonly #context: ProcessContext;
  readonly #parts: ClientParts;
  readonly #user: string;
  readonly #tabs: AuthClient[] = [];
  /** Refresh token → its session, for the history. */
  readonly #sessions = new Map<string, string>();

  constructor(context: ProcessContext, parts: ClientParts, user: string) {
    this.#context = context;
    this.#parts = parts;
    this.#user = user;
  }

  /** Opens the tabs, and uses one of them after another until the process ends. */
  async run(): Promise<void> {
    const { sleep, random } = this.#context;
    const { plan } = this.#parts;
    const count = 1 + Math.floor(random() * MAX_TABS);
    for (let number = 0; number < count; number++) this.#tabs.push(this.#openTab());
    for (;;) {
      await sleep((plan.pauseMs * 2 * random()) / count);
      const tab = this.#tabs[Math.floor(random() * count)] as AuthClient;
      await tab.ready;
      const choice = random();
      if (tab.state.status !== "in") await this.#logIn(tab);
      else if (choice < 0.02) await this.#logOut(tab);
      else await this.#request(tab);
    }
  }

  #openTab(): AuthClient {
    const { clock, random } = this.#context;
    return createAuthClient({
      baseUrl: AUTH_URL,
      origins: [API_URL],
      storage: { persistence: "device", update: async (change) => await this.#update(change) },
      fetch: async (input, init) => await this.#fetch(new Request(input, init)),
      clock,
      random,
    });
  }

  /** One transaction of the storage. */
  async #update(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null> {
    const { disk, sleep, random } = this.#context;
    await sleep(STORAGE_MS * random());
    const stored = JSON.parse(disk.get("record") ?? "null") as AuthRecord | null;
    const next = change(stored);
    if (next !== undefined) disk.set("record", JSON.stringify(next));
    await sleep(STORAGE_MS * random());
    return next ?? stored;
  }

  /** Records the requests of the client. */
  async #fetch(request: Request): Promise<Response> {
    const { recorder } = this.#parts;
    const { pathname } = new URL(request.url);
    const text = await request.clone().text();
    const body = (text === "" ? {} : JSON.parse(text)) as { refresh_token?: string };
    const presented = body.refresh_token;
    const operation = {
      "/auth/refresh": "refresh",
      "/auth/refresh/ack": "acknowledge",
      "/auth/logout": "logout",
    }[pathname];
    if (operation === undefined || presented === undefined) return await this.#context.fetch(request);
    const name = recorder.nameOf(presented);
    const session = this.#sessions.get(presented);
    const answer = recorder.call(operation as "refresh", {
      user: this.#user,
      session,
      ...(operation === "refresh" ? { presented: name, by: "owner" } : { refresh: name }),
    });
    const response = await this.#context.fetch(request).catch((error: Error) => {
      answer({ status: 0 });
      throw error;
    });
    const given = (await response
      .clone()
      .json()
      .catch(() => ({}))) as Record<string, unknown>;
    const tokens = operation === "refresh" && response.status === 200 ? parseTokens(given, this.#user) : null;
    if (tokens !== null) this.#remember(tokens);
    answer({
      status: response.status,
      error: given["error"],
      ...(tokens !== null && recorder.issued(tokens)),
    });
    return response;
  }

  #remember(tokens: ReturnType<typeof parseTokens>): void {
    this.#sessions.set(tokens.refresh, tokens.session);
    remember(this.#parts.leaks.access, tokens);
  }

  async #logIn(tab: AuthClient): Promise<void> {
    const { recorder } = this.#parts;
    const user = this.#user;
    const answer = recorder.call("login", { user });
    const { status, body } = await post(this.#context, `${AUTH_URL}/passkey`, { user });
    const tokens = status === 200 ? parseTokens(body, user) : null;
    answer({ status, ...(tokens !== null && recorder.issued(tokens)) });
    if (tokens === null) return;
    this.#remember(tokens);
    await tab.adopt(body).catch(() => undefined);
  }

  async #request(tab: AuthClient): Promise<void> {
    const { recorder } = this.#parts;
    const token = await tab.accessToken().catch(() => null);
    if (token === null) return;
    const answer = recorder.call("request", { token: recorder.nameOf(token), user: this.#user });
    answer({ status: await callApi(this.#context, API_URL, token) });
  }

  async #logOut(tab: AuthClient): Promise<void> {
    await tab.logout().catch(() => undefined);
  }
}
