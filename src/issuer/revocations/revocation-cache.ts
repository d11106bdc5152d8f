import type { LogPosition, RevocationEntry } from "../../core/revocation.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import type { IssuerBase } from "../issuer-base.ts";

/**
 * Tokens and keys that were revoked one by one, and the subjects' cut-offs. Sessions need no list: their records say
 * it. The log is read on before every answer, so what any process made durable counts at once.
 */
export class RevocationCache {
  readonly #base: IssuerBase;
  /** By kind and id; `before` as in a subject's revocation. */
  readonly #revoked = new Map<string, { readonly until: number; readonly before: number }>();
  #position: LogPosition | null = null;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** Whether the token was revoked, everything of its subject up to then, or the key `kid` that signed it. */
  async isRevoked(
    { jti, sub = "", iat = 0 }: Readonly<JwtClaims>,
    kid: string | undefined,
  ): Promise<boolean> {
    if (iat <= (await this.subjectCutOff(sub))) return true;
    return this.#revoked.has(`token ${jti}`) || this.#revoked.has(`key ${kid}`);
  }

  /** Tokens of the subject count only with a later `iat`, epoch seconds. */
  async subjectCutOff(subject: string): Promise<number> {
    await this.#catchUp();
    return this.#revoked.get(`subject ${subject}`)?.before ?? -Infinity;
  }

  async #catchUp(): Promise<void> {
    const { revocations } = this.#base.store;
    const from = this.#position;
    const tail = from && (await revocations.after(from));
    if (from !== null && tail?.status === "ok") {
      const { seq, chain } = tail.entries.at(-1) ?? from;
      this.#add(tail.entries, { epoch: from.epoch, seq, chain });
    } else {
      const { entries, position } = await revocations.snapshot();
      this.#add(entries, position);
    }
  }

  /** Calls at the same time may bring the same entries, and are none the worse for it. */
  #add(entries: readonly RevocationEntry[], position: LogPosition): void {
    this.#position = position;
    if (entries.length === 0) return;
    for (const { revocation } of entries) {
      if (revocation.kind === "session") continue;
      const name = `${revocation.kind} ${revocation.id}`;
      const known = this.#revoked.get(name);
      const before = revocation.kind === "subject" ? revocation.before : 0;
      this.#revoked.set(name, {
        until: Math.max(revocation.until, known?.until ?? 0),
        before: Math.max(before, known?.before ?? 0),
      });
    }
    const now = this.#base.clock.now();
    for (const [name, { until }] of this.#revoked) if (until < now) this.#revoked.delete(name);
  }
}
