import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { API_URL } from "../addresses.ts";
import { callApi } from "../http.ts";
import { ClientSession, type ClientParts, type SessionOwner, type StoredTokens } from "./session.ts";

/** A client refreshes when its access token lives less than this share of its life. */
const REFRESH_AT = 0.25;

/** Keeps a user logged in, as an application does: one request at a time, and tokens that survive its own restart. */
export class SessionClient {
  readonly #context: ProcessContext;
  readonly #parts: ClientParts;
  readonly #session: ClientSession;

  constructor(context: ProcessContext, parts: ClientParts, owner: SessionOwner) {
    this.#context = context;
    this.#parts = parts;
    this.#session = new ClientSession(context, parts, owner);
  }

  /** Runs until the process ends. */
  async run(): Promise<void> {
    const { sleep, random, clock } = this.#context;
    const { plan } = this.#parts;
    const session = this.#session;
    for (;;) {
      await sleep(plan.pauseMs * 2 * random());
      const held = session.held;
      if (held === null) {
        await session.logIn();
        continue;
      }
      const choice = random();
      const isDue = held.expiresAt - clock.now() < REFRESH_AT * plan.lifetimes.accessTokenTtlMs;
      if (isDue || choice < 0.05) await session.refresh(held);
      else if (choice < 0.07) await session.logOut(held);
      else if (choice < 0.08) session.leave(held);
      else await this.#request(held);
    }
  }

  async #request({ access, session }: StoredTokens): Promise<void> {
    const { recorder } = this.#parts;
    const answer = recorder.call("request", { token: recorder.nameOf(access), session });
    answer({ status: await callApi(this.#context, API_URL, access) });
  }
}
