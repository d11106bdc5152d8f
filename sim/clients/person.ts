import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { API_URL, AUTH_URL } from "../addresses.ts";
import { callApi, post } from "../http.ts";
import type { ActionParts } from "./service-actions.ts";
import { ClientSession, parseTokens, remember, type ClientParts, type StoredTokens } from "./session.ts";
import { setPassword, type PasswordBook } from "./set-password.ts";

/** A person's pause between two actions, compared with that of another client. A password takes real time to check. */
const PAUSES = 1;
/** The other device changes the password up to this much later, milliseconds. */
const RACE_MS = 200;
const DEVICES = 2;

/** What a person shares with others. */
type PersonParts = ClientParts & ActionParts & { readonly book: PasswordBook };

/** A user of the store with two devices. Both know the password, and sometimes change it at the same time. */
export class Person {
  readonly #context: ProcessContext;
  readonly #parts: PersonParts;
  readonly #user: string;
  readonly #devices: readonly ClientSession[];

  constructor(context: ProcessContext, parts: PersonParts, user: string) {
    this.#context = context;
    this.#parts = parts;
    this.#user = user;
    this.#devices = Array.from(
      { length: DEVICES },
      (_, number) =>
        new ClientSession(context, parts, { user, acknowledges: true, file: `tokens ${number}` }),
    );
  }

  /** Runs until the process ends. */
  async run(): Promise<void> {
    const { sleep, random, clock } = this.#context;
    const { plan, recorder } = this.#parts;
    for (;;) {
      await sleep(PAUSES * plan.pauseMs * 2 * random());
      const device = this.#devices[Math.floor(random() * DEVICES)] as ClientSession;
      const { held } = device;
      const choice = random();
      if (held === null) await this.#logIn(device);
      else if (held.expiresAt - clock.now() < plan.lifetimes.accessTokenTtlMs / 4) await device.refresh(held);
      else if (choice < 0.3 && this.#devices.every((one) => one.held !== null)) await this.#changePassword();
      else if (choice > 0.95) await device.logOut(held);
      else {
        const { access, session } = held;
        const answer = recorder.call("request", { token: recorder.nameOf(access), session });
        const status = await callApi(this.#context, API_URL, access);
        answer({ status });
        if (status === 401) await device.refresh(held);
      }
    }
  }

  get #known(): readonly string[] {
    return this.#parts.book.passwords.get(this.#user) ?? [];
  }

  /** Some keyboards write a name in upper case. */
  get #spelling(): string {
    const isUpper = Math.floor(this.#context.clock.now() / 1_000) % 2 === 0;
    return isUpper ? this.#user.toUpperCase() : this.#user;
  }

  async #logIn(
    device: ClientSession,
    password = this.#known[Math.floor(this.#context.random() * this.#known.length)],
  ): Promise<void> {
    if (password === undefined) return;
    await this.#send("password login", device, { password }, "/auth/login", {
      username: this.#spelling,
      password,
    });
  }

  /**
   * Changes the password on one device. At the same time, the other one may change it too or log in with the old one, or an
   * administrator sets it.
   */
  async #changePassword(): Promise<void> {
    const { random, sleep } = this.#context;
    const { book } = this.#parts;
    const [first, second] = this.#devices as [ClientSession, ClientSession];
    const [from = ""] = this.#known;
    const [to, next] = [book.create(), book.create()];
    const changes: Promise<unknown>[] = [this.#change(first, from, to)];
    const choice = random();
    await sleep(RACE_MS * random());
    if (choice < 0.5) changes.push(this.#change(second, choice < 0.25 ? to : from, next));
    else if (choice < 0.75) changes.push(this.#logIn(second, from));
    else changes.push(setPassword(this.#context, this.#parts, this.#user));
    await Promise.all(changes);
    // The session of a change that another one has overtaken must be over.
    if (first.held !== null) await first.refresh(first.held);
  }

  async #change(device: ClientSession, from: string, to: string): Promise<void> {
    const { held } = device;
    if (held === null) return;
    const { passwords } = this.#parts.book;
    passwords.set(this.#user, [to, ...this.#known]);
    const status = await this.#send(
      "change password",
      device,
      { session: held.session, from, to },
      "/auth/password",
      { current_password: from, new_password: to },
      held.access,
    );
    // A definite answer leaves one password. After any other answer both may be in force.
    if (status === 200)
      passwords.set(
        this.#user,
        this.#known.filter((one) => one !== from),
      );
    else if (status >= 400 && status < 500)
      passwords.set(
        this.#user,
        this.#known.filter((one) => one !== to),
      );
  }

  async #send(
    operation: "password login" | "change password",
    device: ClientSession,
    call: object,
    path: string,
    body: object,
    token?: string,
  ): Promise<number> {
    const { recorder, leaks } = this.#parts;
    const user = this.#user;
    const answer = recorder.call(operation, { user, ...call });
    const given = await post(this.#context, `${AUTH_URL}${path}`, body, token);
    const { status } = given;
    const tokens: StoredTokens | null = status === 200 ? parseTokens(given.body, user) : null;
    answer({ status, error: given.body["error"], ...(tokens !== null && recorder.issued(tokens)) });
    if (tokens === null) return status;
    // The old session of the device is left to those who keep tokens.
    if (device.held !== null && operation === "change password") remember(leaks.ended, device.held);
    device.adopt(tokens);
    return status;
  }
}
