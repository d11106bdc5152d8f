import type { Authenticate, Issuer } from "../../src/issuer/types.ts";

export const USERS = ["ann", "bob"] as const;

const passwordOf = (user: string, version: number) => `password ${version} of ${user}`;

/** The users: those of an application, or those of the issuer. */
export class Accounts {
  /** The application's check of a password. The password may change before it answers. */
  readonly authenticate: Authenticate | undefined;
  readonly #versions = new Map<string, number>();
  readonly #subjects = new Map<string, string>();

  constructor(builtIn: boolean, pause: (what: string) => Promise<void>) {
    if (builtIn) return;
    this.authenticate = async ({ username, password }) => {
      const user = String(username);
      const isCorrect = password === passwordOf(user, this.version(user));
      await pause("the password is checked");
      return isCorrect ? { subject: user, scopes: ["orders:read"], claims: { tenant: "acme" } } : null;
    };
  }

  async addUsers({ users }: Issuer): Promise<void> {
    if (this.authenticate !== undefined) return;
    for (const username of USERS) {
      await users.add({ ...this.credentials(username), scopes: ["orders:read"] });
    }
    for (const { username, subject } of await users.list()) this.#subjects.set(username, subject);
  }

  /** Number of times the password was changed. */
  version(user: string): number {
    return this.#versions.get(user) ?? 0;
  }

  credentials(username: string): { username: string; password: string } {
    return { username, password: passwordOf(username, this.version(username)) };
  }

  subject(user: string): string {
    return this.#subjects.get(user) ?? user;
  }

  /**
   * Changes the password, and returns a function that reports it to the issuer. The report ends the user's sessions.
   */
  changePassword(user: string): (issuer: Issuer) => Promise<void> {
    this.#versions.set(user, this.version(user) + 1);
    const { username, password } = this.credentials(user);
    return async (issuer) => {
      if (this.authenticate === undefined) await issuer.users.setPassword(username, password);
      else await issuer.revoke({ kind: "subject", id: this.subject(user) });
    };
  }
}
