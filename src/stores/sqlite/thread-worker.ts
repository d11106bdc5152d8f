import { statSync } from "node:fs";
import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import type { RevocationEntry } from "../../core/revocation.ts";
import type { Store } from "../store.ts";
import type { Commit } from "./commit-counts.ts";
import { requireSameFile } from "./connection.ts";
import { describeFile, openWatchedStore } from "./open.ts";
import type { WatchedStore } from "./store.ts";
import { RemoteClock } from "./thread-clock.ts";
import {
  encodeError,
  listIn,
  withList,
  type Answer,
  type Command,
  type ThreadOptions,
  type ThreadRequest,
  type ThreadResponse,
} from "./thread-protocol.ts";

/*
 * The store's thread. It opens the store, runs the commands of the application, and sends the answers.
 */

/** The longest list in one message. Reading a longer one would block the application's event loop for milliseconds. */
const SLICE = 1000;

type Method = (...args: readonly unknown[]) => unknown;

class StoreThread {
  readonly #port: MessagePort;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #clock: RemoteClock | null;
  readonly #watch: WatchedStore["watch"];
  readonly #awaitingNext = new Map<number, () => void>();
  readonly #commits: Commit[];
  #published: RevocationEntry[] = [];
  #answers: Answer[] = [];
  #isFlushScheduled = false;

  /** `commits` collects the transactions of the store. */
  constructor(
    port: MessagePort,
    { store, watch }: WatchedStore,
    clock: RemoteClock | null,
    commits: Commit[],
  ) {
    this.#port = port;
    this.#commits = commits;
    this.#watch = watch;
    this.#clock = clock;
    this.#methods = methodsOf(store);
    store.revocations.subscribe((entries) => {
      this.#published.push(...entries);
      this.#scheduleFlush();
    });
  }

  get methodNames(): Record<string, string[]> {
    const names: Record<string, string[]> = {};
    for (const key of this.#methods.keys()) {
      const [part = "", method = ""] = key.split(".");
      (names[part] ??= []).push(method);
    }
    return names;
  }

  receive({ commands = [], next, watch, fired, moment }: ThreadRequest): void {
    if (moment !== undefined) this.#clock?.advance(moment);
    if (fired !== undefined) this.#clock?.fire(fired);
    if (next !== undefined) this.#awaitingNext.get(next)?.();
    // A look at the file at every tick of an injected clock would be many messages for nothing.
    if (watch !== undefined && this.#clock === null) this.#watch(watch);
    for (const command of commands) void this.#run(command);
  }

  /** Never rejects. */
  async #run([id, part, name, args]: Command): Promise<void> {
    try {
      const method = this.#methods.get(`${part}.${name}`);
      if (method === undefined) throw new TypeError(`the store has no method ${part}.${name}`);
      let result = await method(...args);
      const list = listIn(result);
      if (list !== null && list.length > SLICE) {
        await this.#sendSlices(id, list);
        result = withList(result, []);
      }
      this.#answer([id, result, null]);
    } catch (error) {
      this.#answer([id, undefined, encodeError(error)]);
    }
  }

  /** Sends each slice when the application has taken the one before, so that slices cannot pile up there. */
  async #sendSlices(id: number, list: readonly unknown[]): Promise<void> {
    for (let from = 0; from < list.length; from += SLICE) {
      const taken = new Promise<void>((done) => this.#awaitingNext.set(id, done));
      this.#post({ slice: [id, list.slice(from, from + SLICE)] });
      await taken;
    }
    this.#awaitingNext.delete(id);
  }

  #answer(answer: Answer): void {
    this.#answers.push(answer);
    this.#scheduleFlush();
  }

  /** Sends the answers of a whole batch in one message, and before the next batch waits for the disk. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    process.nextTick(() => {
      this.#isFlushScheduled = false;
      const published = this.#published.splice(0);
      const answers = this.#answers.splice(0);
      const commits = this.#commits.splice(0);
      this.#post({
        answers,
        ...(published.length > 0 && { published }),
        ...(commits.length > 0 && { commits }),
      });
    });
  }

  #post(response: ThreadResponse): void {
    this.#port.postMessage(response);
  }
}

function methodsOf(store: Store): Map<string, Method> {
  const methods = new Map<string, Method>();
  const add = (part: string, members: object) => {
    for (const [name, value] of Object.entries(members)) {
      // A listener is a function, which cannot be sent. The application's thread has its own listeners.
      if (typeof value === "function" && name !== "subscribe" && name !== "metrics")
        methods.set(`${part}.${name}`, value as Method);
    }
  };
  add("", store);
  for (const [part, members] of Object.entries(store)) {
    if (typeof members === "object" && members !== null) add(part, members as object);
  }
  return methods;
}

async function start(port: MessagePort, options: ThreadOptions): Promise<void> {
  const { moment, expectedFile, ...openOptions } = options;
  const { file } = openOptions;
  const clock = moment && new RemoteClock(moment, (message) => port.postMessage(message));
  let thread: StoreThread | null = null;
  port.on("message", (request: ThreadRequest) => {
    if (thread !== null) thread.receive(request);
    else if (request.moment !== undefined && clock !== null) {
      // While the file is locked, the opening waits on the application's clock.
      clock.advance(request.moment);
      if (request.fired !== undefined) clock.fire(request.fired);
    }
  });
  try {
    if (expectedFile !== null) requireSameFile(file, expectedFile, describeFile(file));
    const injected = clock && { clock, random: () => clock.random() };
    const commits: Commit[] = [];
    const onCommit = (commit: Commit) => commits.push(commit);
    const store = await openWatchedStore({ ...openOptions, ownThread: true, onCommit, ...injected });
    thread = new StoreThread(port, store, clock, commits);
    const { dev, ino } = statSync(file);
    port.postMessage({
      opened: { methods: thread.methodNames, file: { dev, ino } },
      commits: commits.splice(0),
    } satisfies ThreadResponse);
  } catch (error) {
    port.postMessage({ failed: encodeError(error) } satisfies ThreadResponse);
    port.close();
  }
}

if (parentPort !== null) await start(parentPort, workerData as ThreadOptions);
