import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The reason to skip tests that need a certificate, or `false`. On CI they are never skipped. */
export const noOpenssl: string | false =
  spawnSync("openssl", ["version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "openssl is not installed";

/** A self-signed certificate of `api.example` in a temporary folder. */
export class Certificate {
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-certificate-"));
  /** The PEM file with certificate and key. */
  readonly file: string = join(this.#folder, "site.pem");
  /** The PEM text that a client must trust. */
  readonly ca: string;

  constructor() {
    const [key, certificate] = [join(this.#folder, "key.pem"), join(this.#folder, "certificate.pem")];
    const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const name = ["-subj", "/CN=api.example", "-addext", "subjectAltName=DNS:api.example", "-days", "2"];
    const args = ["req", ...kind, ...name, "-keyout", key, "-out", certificate];
    const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ended with ${status}:\n${stderr}`);
    this.ca = readFileSync(certificate, "utf8");
    writeFileSync(this.file, this.ca + readFileSync(key, "utf8"), { mode: 0o600 });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
