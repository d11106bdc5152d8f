import type { Clock } from "../../src/core/clock.ts";
import { NotSimulatedError } from "../lua/values.ts";
import type { LostChange } from "../store-loss.ts";
import { AppendOnlyFile } from "./append-only-file.ts";
import { BlockedCommands, type Answer, type ServerConnection } from "./blocked-commands.ts";
import { ChangeLog } from "./change-log.ts";
import { ClusterMember, type ClusterView } from "./cluster-member.ts";
import { entriesAfter, readStreamRead, type StreamRead } from "./commands/streams.ts";
import { ReplicaLink } from "./replica-link.ts";
import { ErrorReply, OK, readInteger } from "./reply.ts";
import type { ScriptEngine } from "./script-engine.ts";
import { RedisServerModel, type Change } from "./server.ts";

/** The environment of a server. */
export interface RedisNodeOptions {
  readonly name: string;
  /** The true time. */
  readonly clock: Clock;
  readonly engine: ScriptEngine;
  readonly settings: Readonly<Record<string, string>>;
  readonly lagMs: () => number;
  /** The cluster that the server belongs to. `null` outside of a cluster. */
  readonly cluster: ClusterView | null;
}

/** A replica that was silent for this long does not count for `min-replicas-to-write`, ms. */
const MAX_REPLICA_LAG_MS = 10_000;
const READ_ONLY = "READONLY You can't write against a read only replica.";
const TOO_FEW_REPLICAS = "NOREPLICAS Not enough good replicas to write.";
const DEMOTED =
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

/** A server with its connections, its replicas and its append-only file. It can freeze, crash and change its role. */
export class RedisNode {
  readonly name: string;
  readonly model: RedisServerModel;
  readonly changes: ChangeLog = new ChangeLog();
  readonly #options: RedisNodeOptions;
  readonly #file: AppendOnlyFile;
  readonly #connections = new Set<ServerConnection>();
  readonly #links = new Set<ReplicaLink>();
  readonly #blocked: BlockedCommands;
  #upstream: ReplicaLink | null = null;
  #offset = 0;
  #isUp = true;
  #isPrimary = true;
  /** The work that arrived while the server was frozen. `null` while it runs. */
  #backlog: (() => void)[] | null = null;
  /** The count of replicas that the frozen server still believes in. `null` while it runs. */
  #believedReplicas: number | null = null;
  readonly #member: ClusterMember;
  /** How it gets keys from another primary. `null` while it gets none. */
  #takesOver: "careful" | "careless" | null = null;
  /** How far the clock of the server is ahead, ms. */
  clockErrorMs = 0;

  constructor(options: RedisNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.#member = new ClusterMember(this, options.cluster);
    this.#blocked = new BlockedCommands(options.clock, (work) => this.#whenRunning(work));
    this.#file = new AppendOnlyFile(options.settings["appendfsync"] === "always");
    this.model = new RedisServerModel({
      now: () => options.clock.now() + this.clockErrorMs,
      engine: options.engine,
      settings: options.settings,
      onChange: (change) => this.#recordChange(change),
      onScriptCommand: (words) => this.#member.assertLocal(words),
    });
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isFrozen(): boolean {
    return this.#backlog !== null;
  }

  /** Whether the server itself takes itself for a primary. */
  get isPrimary(): boolean {
    return this.#isPrimary;
  }

  /** The number of changes that the server has. */
  get offset(): number {
    return this.#offset;
  }

  /** The links to its replicas. */
  get links(): readonly ReplicaLink[] {
    return [...this.#links];
  }

  /** Accepts a connection. A server that is down refuses it. */
  connect(connection: ServerConnection): void {
    if (!this.#isUp) throw new Error(`connect ECONNREFUSED ${this.name}`);
    this.#connections.add(connection);
  }

  disconnect(connection: ServerConnection): void {
    this.#connections.delete(connection);
  }

  /** Runs a command that arrived over a connection, once the server runs. */
  handle(connection: ServerConnection, words: readonly string[], answer: Answer): void {
    this.#whenRunning(() => {
      if (!this.#connections.has(connection)) return;
      if (connection.behind === null) this.#handleNow(connection, words, answer);
      else connection.behind.push(() => this.handle(connection, words, answer));
    });
  }

  /** Stops the process without ending its connections. */
  freeze(): void {
    if (!this.#isUp || this.#backlog !== null) return;
    this.#backlog = [];
    this.#believedReplicas = this.#countReplicas();
    this.#upstream?.stop("frozen");
  }

  /** Lets the process run again. It first does the work that has arrived. */
  thaw(): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    this.#backlog = null;
    for (const work of backlog) work();
    this.#believedReplicas = null;
    this.#upstream?.resume("frozen");
  }

  /**
   * Kills the process. With `power` the file loses what was not durable, and its last sync had run for `syncMs`. Returns the
   * changes that were lost.
   */
  crash({ power, syncMs = 0 }: { power: boolean; syncMs?: number }): LostChange[] {
    if (!this.#isUp) return [];
    this.#isUp = false;
    this.#backlog = null;
    this.#believedReplicas = null;
    this.#endLinks();
    this.#blocked.forget();
    const lost = power ? this.#file.losePower(this.#options.clock.monotonic(), syncMs) : 0;
    this.closeConnections(new Error("Socket closed unexpectedly"));
    return this.changes.after(this.#offset - lost);
  }

  /** Starts the process on the data of its file. */
  restart(): void {
    this.#isUp = true;
    this.model.forgetScripts();
    this.model.load(this.#file.recover());
    this.#isPrimary = true;
    this.#updateRefusals();
  }

  /** Ends every connection. */
  closeConnections(error: Error): void {
    const connections = [...this.#connections];
    this.#connections.clear();
    for (const { onClosed } of connections) onClosed(error);
  }

  /** Becomes a primary with the data that it has. */
  promote(): void {
    this.#upstream?.close();
    this.#upstream = null;
    this.#isPrimary = true;
    this.#updateRefusals();
  }

  /**
   * Gives the key to another primary, as `MIGRATE` does. `careful` brings it to a current replica at once. `MIGRATE` does not
   * wait for a replica, and can lose a key that was acknowledged long ago.
   */
  giveKey(key: string, to: RedisNode, care: "careful" | "careless" = "careful"): void {
    to.#takesOver = care;
    to.model.takeOver(this.model.giveAway(key));
    to.#takesOver = null;
  }

  /** Becomes a replica of `primary`, and takes over all of its data. */
  follow(primary: RedisNode): void {
    this.#endLinks();
    this.#isPrimary = false;
    this.#blocked.endAll(new ErrorReply(DEMOTED));
    this.model.load(primary.model.keys);
    this.#file.rewrite(primary.model.keys);
    this.changes.clear();
    this.#offset = primary.#offset;
    this.#upstream = primary.#addReplica(this);
    this.#updateRefusals();
  }

  #addReplica(replica: RedisNode): ReplicaLink {
    const { clock, lagMs } = this.#options;
    const receive = (change: Change, offset: number) => replica.#applyChange(change, offset);
    const link = new ReplicaLink({ receive }, this.#offset, {
      clock,
      lagMs,
      onAcknowledged: () => this.#whenRunning(() => this.#blocked.check()),
    });
    this.#links.add(link);
    return link;
  }

  #endLinks(): void {
    for (const link of this.#links) link.close();
    this.#links.clear();
    this.#upstream?.close();
    this.#upstream = null;
  }

  #updateRefusals(): void {
    this.model.refusals.writes = this.#isPrimary ? null : READ_ONLY;
  }

  #applyChange(change: Change, offset: number): void {
    this.model.apply(change);
    this.#offset = offset;
    this.#keep(change);
  }

  #recordChange(change: Change): void {
    this.#offset++;
    this.#keep(change);
    for (const link of this.#links) {
      if (this.#takesOver === "careful") link.pushAtOnce(change, this.#offset);
      else link.push(change, this.#offset);
    }
    this.#blocked.check();
  }

  #keep(change: Change): void {
    const { clock } = this.#options;
    this.#file.append(change, clock.monotonic());
    this.changes.add(change, this.#offset, clock.now(), this.#takesOver !== null);
  }

  #countReplicas(): number {
    return this.links.filter(({ isOpen, silentMs }) => isOpen && silentMs <= MAX_REPLICA_LAG_MS).length;
  }

  /** Refuses writes while too few replicas answer. A server that wakes up believes what it knew before. */
  #refuseLonelyWrites(): void {
    const needed = Number(this.#options.settings["min-replicas-to-write"] ?? 0);
    if (!this.#isPrimary || needed === 0) return;
    const count = this.#believedReplicas ?? this.#countReplicas();
    this.model.refusals.writes = count < needed ? TOO_FEW_REPLICAS : null;
  }

  #whenRunning(work: () => void): void {
    if (this.#backlog !== null) this.#backlog.push(work);
    else if (this.#isUp) work();
  }

  #handleNow(connection: ServerConnection, words: readonly string[], answer: Answer): void {
    this.#refuseLonelyWrites();
    const name = words[0]?.toUpperCase() ?? "";
    try {
      if (this.#member.begin(connection, name)) return answer(OK);
      if (name === "CLUSTER") return answer(this.#member.describe(words));
      this.#member.redirect(words, this.#believedReplicas !== null);
      if (name === "WAIT") return this.#wait(connection, words, answer);
      const read = name === "XREAD" ? readStreamRead(words.slice(1)) : null;
      const before = this.#offset;
      const reply = this.model.execute(words);
      if (this.#offset > before) connection.lastWrite = this.#offset;
      if (reply === null && read !== null && read.blockMs !== null) this.#block(connection, read, answer);
      else answer(reply);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      answer(error);
    }
  }

  #wait(connection: ServerConnection, words: readonly string[], answer: Answer): void {
    const [needed, timeoutMs] = [readInteger(words[1]), readInteger(words[2])];
    if (!this.#isPrimary) throw new ErrorReply("ERR WAIT cannot be used with replica instances.");
    if (timeoutMs === 0) throw new NotSimulatedError("WAIT without a limit");
    const count = () => this.links.filter((link) => link.acknowledged >= connection.lastWrite).length;
    this.#blocked.add(connection, timeoutMs, answer, (isOver) =>
      isOver || count() >= needed ? count() : null,
    );
  }

  #block(connection: ServerConnection, read: StreamRead, answer: Answer): void {
    this.#blocked.add(connection, read.blockMs ?? 0, answer, (isOver) => {
      const entries = entriesAfter(this.model.keys, read);
      return entries === null && isOver ? "none" : entries;
    });
  }
}
