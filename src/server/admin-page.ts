import { hash } from "node:crypto";
import { html, raw } from "hono/html";
import type { AuditEvent } from "../core/events.ts";
import type { Health } from "./health.ts";
import type { Service } from "./service.ts";
import { version } from "./version.ts";

/** What the page shows. */
export interface AdminView {
  readonly service: Service;
  readonly health: Health;
  readonly users: string;
  /** Newest first. */
  readonly events: readonly AuditEvent[];
  /** Epoch ms. */
  readonly now: number;
  readonly rssBytes: number;
}

type Html = ReturnType<typeof html>;

const style = `
:root { color-scheme: light dark; --line: light-dark(#dcdfe4, #3a3f47); --dim: light-dark(#5c6570, #a0a8b2) }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .4rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 500; color: var(--dim); white-space: nowrap }
th:first-child { width: 1%; padding-right: 2rem } td { font-variant-numeric: tabular-nums }
.ok::before, .unavailable::before { content: "●"; margin-right: .4rem }
.ok::before { color: #2a9d52 } .unavailable::before { color: #d23b3b }
p { color: var(--dim); margin: .2rem 0 }`;

/** Nothing but this page's own style sheet: no script, no frame, no form, nothing from elsewhere. */
export const contentSecurityPolicy: string =
  `default-src 'none'; style-src 'sha256-${hash("sha256", style, "base64")}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The status page: plain HTML, every value escaped by the template. */
export async function adminPage(view: AdminView): Promise<string> {
  const { service, health, users, events, now } = view;
  const { memory, inFlight } = service.guard.status();
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Holdfast</title>
        ${raw(`<style>${style}</style>`)}
      </head>
      <body>
        <h1 class="${health.status}">Holdfast ${version}</h1>
        <p>Issuer ${service.url}, for ${service.audience}</p>
        <h2>Parts</h2>
        ${table(
          [],
          Object.entries(health.components).map(([name, { status, detail }]) => [
            name,
            html`<span class="${status}">${status}</span>`,
            detail,
          ]),
        )}
        <h2>Figures</h2>
        ${table(
          [],
          [
            ["users", users],
            ["tokens remembered", `${memory.valid.size}, ${megabytes(memory.valid.bytes)}`],
            ["answers from memory", memory.valid.hits],
            ["proofs under way", inFlight],
            ["memory of the process", megabytes(view.rssBytes)],
          ],
        )}
        <h2>Signing keys</h2>
        ${table(
          ["key", "algorithm", "made", "state"],
          service.issuer
            .status()
            .keys.map((key) => [key.kid, key.algorithm, time(key.createdAt), keyState(key, now)]),
        )}
        <h2>Recent events</h2>
        ${table(
          ["time", "event", "subject", "source", "detail"],
          events.map(({ at, kind, subject, source, detail }) => [time(at), kind, subject, source, detail]),
        )}
      </body>
    </html>`;
  return String(page);
}

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): Html {
  const cells = (row: readonly unknown[]): Html[] =>
    row.map((cell, n): Html => (n === 0 ? html`<th>${cell}</th>` : html`<td>${cell}</td>`));
  return html`<table>
    <tr>
      ${head.map((name): Html => html`<th>${name}</th>`)}
    </tr>
    ${rows.map(
      (row): Html =>
        html`<tr>
          ${cells(row)}
        </tr>`,
    )}
  </table>`;
}

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** A signing key's state in words. */
export function keyState(key: { activatedAt: number | null; retiredAt: number | null }, now: number): string {
  if (key.retiredAt !== null) return `retired ${Math.round((now - key.retiredAt) / 60_000)} min ago`;
  return key.activatedAt === null ? "published, signs next" : "signs";
}
