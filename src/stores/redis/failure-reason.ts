import { readMessage } from "./errors.ts";

/** Remembers why the connection fails, in words that hold no credentials. */
export class FailureReason {
  readonly #secrets = new Set<string>();
  #reason: string | null = null;

  /** `urls` are the addresses, which may hold passwords. */
  constructor(urls: readonly URL[]) {
    for (const { password } of urls) {
      this.addSecret(password);
      this.addSecret(decodeURIComponent(password));
    }
  }

  /** Keeps `secret` out of every reason. */
  addSecret(secret: string): void {
    if (secret !== "") this.#secrets.add(secret);
  }

  /** Remembers the error. The package also reports changes that are no errors, which are ignored. */
  record(error: unknown): void {
    if (typeof error === "string") this.#reason = error;
    else if (error instanceof Error) this.#reason = readMessage(error);
  }

  /** Forgets the error, because a server has answered. */
  clear(): void {
    this.#reason = null;
  }

  /** The last error since a server answered. `null` while no error has happened since then. */
  get text(): string | null {
    if (this.#reason === null) return null;
    let text = this.#reason.replaceAll(/\/\/[^/@\s]*@/g, "//");
    // A secret may begin with another one, whose removal first would leave the rest of it.
    const longestFirst = [...this.#secrets].toSorted((a, b) => b.length - a.length);
    for (const secret of longestFirst) text = text.replaceAll(secret, "…");
    return text;
  }
}
