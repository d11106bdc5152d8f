import { awaitTurn } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { rejectUnknownOptions } from "../../core/options.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerContext } from "../context.ts";
import { addUserMac } from "../store/record-macs.ts";
import { findByLoginName } from "./login-name.ts";
import { describeHashProblem, readNewUser } from "./user-input.ts";
import type { ImportedUser, ImportOptions, ImportResult } from "./user-types.ts";

/** Rows that are checked between two turns of the event loop, and users that are added at the same time. */
const BATCH = 50;
/** A message names this many problems. */
const MAX_NAMED = 20;

interface Row {
  /** The name of the row in messages. */
  readonly place: string;
  readonly facts: Omit<UserRecord, "mac">;
}

/**
 * Adds users with the password hashes of another system. Every row is checked before the first user is added. Throws
 * `invalid_option` with the place of each row that cannot be imported, and without any hash.
 */
export async function importUsers(
  ctx: IssuerContext,
  users: Iterable<ImportedUser>,
  { existing = "refuse", actor, source }: ImportOptions = {},
): Promise<ImportResult> {
  const createdAt = await ctx.store.now();
  const problems: string[] = [];
  const rows = new Map<string, Row>();
  let index = -1;
  for (const user of users) {
    if (++index % BATCH === 0) await awaitTurn(ctx.clock);
    const place = user.line === undefined ? `users[${index}]` : `line ${user.line}`;
    const checked = checkRow(ctx, user, createdAt);
    if (typeof checked === "string") problems.push(`${place}: ${checked}`);
    else {
      const same = rows.get(checked.loginKey ?? "");
      if (same === undefined) rows.set(checked.loginKey ?? "", { place, facts: checked });
      else problems.push(`${place}: username is the one of ${same.place}`);
    }
  }
  const fresh = await withoutExisting(ctx, [...rows.values()], (place) => {
    if (existing === "refuse") problems.push(`${place}: there is a user of this name already`);
  });
  if (problems.length > 0) throw describeProblems(problems);
  let added = 0;
  for (const batch of batches(fresh)) {
    const outcomes = await Promise.all(
      batch.map(async ({ facts }) => await ctx.store.users.add(addUserMac(ctx.secrets, facts))),
    );
    added += outcomes.filter((outcome) => outcome === "added").length;
  }
  const skipped = rows.size - added;
  await ctx.audit("users_imported", { actor, source, detail: `added: ${added}, skipped: ${skipped}` });
  return { added, skipped };
}

/** Returns the facts of the user, or what is wrong. */
function checkRow(
  ctx: IssuerContext,
  user: ImportedUser,
  createdAt: number,
): Omit<UserRecord, "mac"> | string {
  rejectUnknownOptions("users.import", user, ["line", "username", "passwordHash", "scopes", "disabled"]);
  const { passwordHash, disabled = false } = user;
  const read = readNewUser(ctx, user);
  if (read.status === "refused") return `${read.member} must be ${read.mustBe}`;
  const hashProblem = describeHashProblem(passwordHash);
  if (hashProblem !== null) return `passwordHash must be ${hashProblem}`;
  if (typeof disabled !== "boolean") return "disabled must be true or false";
  return { ...read.user, passwordHash, createdAt, disabledAt: disabled ? createdAt : null };
}

/** The rows whose users the store does not have. */
async function withoutExisting(
  ctx: IssuerContext,
  rows: readonly Row[],
  onExisting: (place: string) => void,
): Promise<Row[]> {
  const fresh: Row[] = [];
  for (const batch of batches(rows)) {
    const found = await Promise.all(
      batch.map(async ({ facts }) => await findByLoginName(ctx, facts.username)),
    );
    for (const [index, row] of batch.entries()) {
      if (found[index] === null) fresh.push(row);
      else onExisting(row.place);
    }
  }
  return fresh;
}

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += BATCH) yield items.slice(start, start + BATCH);
}

function describeProblems(problems: readonly string[]): HoldfastError {
  const more = problems.length > MAX_NAMED ? [`and ${problems.length - MAX_NAMED} more`] : [];
  const message = ["no user was imported", ...problems.slice(0, MAX_NAMED), ...more].join("\n");
  return new HoldfastError("invalid_option", message);
}
