import { html, raw } from "hono/html";
import type { AuditEvent, AuditKind } from "../../core/events.ts";
import { adminStyle } from "./admin-style.ts";
import type { OutcomeHealth, ServiceHealth } from "../health/service-health.ts";
import { elapsedTime } from "../elapsed-time.ts";
import { keyState } from "../key-state.ts";
import type { Service } from "../service.ts";
import { version } from "../version.ts";

/** The values on the page. */
export interface AdminView {
  readonly service: Service;
  readonly health: ServiceHealth;
  /** The number of users, as text. `null` when the store cannot be read. */
  readonly users: string | null;
  /** The audit events, newest first. `null` when the store cannot be read. */
  readonly events: readonly AuditEvent[] | null;
  /** Epoch ms. */
  readonly now: number;
  readonly upMs: number;
  readonly rssBytes: number;
}

type Html = ReturnType<typeof html>;

/** The names of the outcomes on the page. */
const outcomeNames: Readonly<Record<keyof ServiceHealth["outcomes"], string>> = {
  login: "logins",
  refresh: "refreshes",
  ownTokens: "tokens of the service",
  providerTokens: "tokens of the provider",
};

/** Events that an operator should investigate. */
const alarms: ReadonlySet<AuditKind> = new Set([
  "refresh_reuse",
  "refresh_shadowed",
  "refresh_forked",
  "store_rolled_back",
  "record_tampered",
]);

/** Renders the status page. The template escapes every value. The browser reloads the page every ten seconds. */
export async function adminPage(view: AdminView): Promise<string> {
  const { service, health, now } = view;
  const state = health.headline.text;
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="refresh" content="10" />
        <title>${state} · Holdfast</title>
        ${raw(`<style>${adminStyle}</style>`)}
      </head>
      <body>
        <p class="dim">Holdfast ${version}</p>
        <h1 class="${health.status}">${state}</h1>
        ${advice(health)}
        <p class="dim">${time(now)}, running for ${elapsedTime(view.upMs)}</p>
        <dl>
          <dt>issuer</dt>
          <dd><code>${service.url}</code></dd>
          <dt>audience</dt>
          <dd><code>${[service.audience].flat().join(", ")}</code></dd>
          <dt>store</dt>
          <dd><code>${service.store.description}</code></dd>
        </dl>
        <h2>What users get</h2>
        ${outcomes(health)}
        <h2>Parts</h2>
        ${parts(health)}
        <h2>Figures</h2>
        ${figures(view)}
        <h2>Signing keys</h2>
        ${table(
          ["state", "algorithm", "made", "id"],
          service.issuer
            .status()
            .keys.map((key) => [keyState(key, now), key.algorithm, time(key.createdAt), key.kid]),
        )}
        <h2>Recent events</h2>
        ${events(view.events)}
      </body>
    </html>`;
  return String(page);
}

/** What to do about the headline. The page with scripts shows the same. */
function advice({ headline }: ServiceHealth): Html {
  const { advice: first, runbook } = headline;
  return html`${first === null ? "" : html`<p>${first}</p>`}${runbook === null ? "" : html`<p>What to do: section <code>${runbook}</code> of the runbook, which is <code>ops/runbook.md</code> in the package</p>`}`;
}

function parts({ components, headline }: ServiceHealth): Html {
  const cards = Object.entries(components).map(
    ([name, { status, detail, effect, advice: remedy, reason, since }]): Html =>
      html`<div class="card">
        <b>${name} <span class="${status}">${status}</span></b>
        ${status === "ok" ? "" : html`<p class="dim">${reason} since ${time(since)}</p>`}
        <p class="dim">${detail}</p>
        ${status === "ok" ? "" : html`<p>${effect ?? "Users notice nothing yet."}</p>`}
        ${remedy === null || name === headline.part ? "" : html`<p>${remedy}</p>`}
      </div>`,
  );
  return html`<div class="cards">${cards}</div>`;
}

function outcomes({ outcomes: found }: ServiceHealth): Html {
  const cards = Object.entries(found).map(
    ([name, { status, because }]: [string, OutcomeHealth]): Html =>
      html`<div class="card">
        <b>${outcomeNames[name as keyof typeof outcomeNames]} <span class="${status}">${status}</span></b>
        ${because.length === 0 ? "" : html`<p class="dim">because of: ${because.map(causeName).join(", ")}</p>`}
      </div>`,
  );
  return html`<div class="cards small">${cards}</div>`;
}

/** Recent answers show more than the parts do. */
function causeName(cause: OutcomeHealth["because"][number]): string {
  return cause === "answers" ? "its latest answers" : cause;
}

function figures({ service, users, rssBytes }: AdminView): Html {
  const { memory, inFlight } = service.guard.status();
  const rows = [
    ["users", users ?? "unknown"],
    ["tokens in memory", memory.valid.size],
    ["answers from memory", memory.valid.hits],
    ["validations under way", inFlight],
    ["memory of the process", megabytes(rssBytes)],
  ];
  const cards = rows.map(
    ([name, value]): Html =>
      html`<div class="card"><span class="figure">${value}</span> <span class="dim">${name}</span></div>`,
  );
  return html`<div class="cards small">${cards}</div>`;
}

function events(recent: AdminView["events"]): Html {
  if (recent === null) return html`<p class="dim">Unknown: the store cannot be read.</p>`;
  if (recent.length === 0) return html`<p class="dim">No events so far.</p>`;
  return table(
    ["time", "event", "source", "subject or session", "actor", "detail"],
    recent.map(({ at, kind, subject, session, source, actor, detail }) => [
      time(at),
      alarms.has(kind) ? html`<span class="alarm">${kind}</span>` : kind,
      source,
      subject ?? session,
      actor,
      detail,
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): Html {
  const row = (cells: readonly unknown[]): Html =>
    html`<tr>
      ${cells.map((cell): Html => html`<td>${cell}</td>`)}
    </tr>`;
  return html`<div class="table">
    <table>
      <tr>
        ${head.map((name): Html => html`<th>${name}</th>`)}
      </tr>
      ${rows.map(row)}
    </table>
  </div>`;
}

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
