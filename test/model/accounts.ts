import type { Authenticate, Issuer } from "../../src/issuer/types.ts";

export const USERS = ["ann", "bob"] as const;

const passwordOf = (user: string, version: number) => `password ${version} of ${user}`;

/** Who may log in: an application's own users, or the issuer's. */
export class Accounts {
  /** Of an application: what it read may be old when it answers. */
  readonly authenticate: Authenticate | undefined;
  readonly #versions = new Map<string, number>();
  readonly #subjects = new Map<string, string>();

  constructor(builtIn: boolean, pause: (what: string) => Promise<void>) {
    if (builtIn) return;
    this.authenticate = async ({ username, password }) => {
      const user = String(username);
      const right = password === passwordOf(user, this.version(user));
      await pause("the password is checked");
      return right ? { subject: user, scopes: ["orders:read"], claims: { tenant: "acme" } } : null;
    };
  }

  async addUsers({ users }: Issuer): Promise<void> {
    if (this.authenticate !== undefined) return;
    for (const username of USERS) {
      await users.add({ ...this.credentials(username), scopes: ["orders:read"] });
    }
    for (const { username, subject } of await users.list()) this.#subjects.set(username, subject);
  }

  /** Counts the changes of the password. */
  version(user: string): number {
    return this.#versions.get(user) ?? 0;
  }

  credentials(username: string): { username: string; password: string } {
    return { username, password: passwordOf(username, this.version(username)) };
  }

  subject(user: string): string {
    return this.#subjects.get(user) ?? user;
  }

  /** Returns what tells the issuer: with it, every session ends. */
  changePassword(user: string): (issuer: Issuer) => Promise<void> {
    this.#versions.set(user, this.version(user) + 1);
    const { username, password } = this.credentials(user);
    return async (issuer) => {
      if (this.authenticate === undefined) await issuer.users.setPassword(username, password);
      else await issuer.revoke({ kind: "subject", id: this.subject(user) });
    };
  }
}
