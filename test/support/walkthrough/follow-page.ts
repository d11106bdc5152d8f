import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { freePort } from "../free-port.ts";
import { readSteps, type Step } from "./page.ts";
import { Program, Shell } from "./shell.ts";

/** The ports that pages name. The test replaces each by a free one, because other programs may use it. */
const portsOfPages = /\b(3000|3001|4180|4181|5173|8080)\b/g;

/** What a reader does in a browser, by the names in the page. It gets the ports that replace those of the page. */
export type BrowserSteps = Readonly<Record<string, (portOf: (port: number) => string) => Promise<void>>>;

export interface FollowOptions {
  /** The label of the tab that the reader chooses. */
  readonly tab?: string;
  /** A folder with the `npm` that installs the packed tarballs. It comes first in the PATH. */
  readonly npmFolder: string;
  readonly browserSteps?: BrowserSteps;
}

/** Follows a page to the letter in an empty folder, as a reader who copies every block. Rejects with the line that fails. */
export async function followPage(path: string, options: FollowOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-reader-"));
  const reader = await createReader(folder, options);
  try {
    for (const step of readSteps(path, options.tab ?? "")) {
      await reader.take(step).catch((error: unknown) => {
        throw new Error(`${path}:${step.line}: ${(error as Error).message}${reader.outputs()}`, {
          cause: error,
        });
      });
    }
  } finally {
    reader.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function createReader(folder: string, { npmFolder, browserSteps = {} }: FollowOptions) {
  const ports = new Map<string, string>();
  for (const port of ["3000", "3001", "4180", "4181", "5173", "8080"]) {
    ports.set(port, String(await freePort()));
  }
  const adapt = (text: string) => text.replaceAll(portsOfPages, (port) => ports.get(port) ?? port);
  const env = {
    ...readersEnvironment(npmFolder),
    HOLDFAST_PORT: adapt("4180"),
    HOLDFAST_ADMIN_PORT: adapt("4181"),
  };
  const shell = new Shell(folder, env);
  const programs: Program[] = [];

  const take = async (step: Step): Promise<void> => {
    switch (step.kind) {
      case "file": {
        const file = join(shell.folder, step.name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, adapt(step.text));
        return;
      }
      case "run": {
        let printed = "";
        for (const command of step.commands) {
          const { output, code } = await shell.run(adapt(command));
          assert.equal(code, 0, `exit code ${code} of: ${command}\n${output}`);
          checkStatus(command, output);
          printed += output;
        }
        assert.ok(shows(printed, adapt(step.output)), `expected:\n${step.output}\nprinted:\n${printed}`);
        return;
      }
      case "start": {
        assert.notEqual(step.output, "", "the page does not show how the program starts");
        const program = new Program(adapt(step.command), shell.folder, env);
        programs.push(program);
        await program.printed((output) => shows(output, adapt(step.output)));
        return;
      }
      case "stop": {
        const index = programs.findLastIndex(({ command }) => command.includes(adapt(step.command)));
        const [program] = programs.splice(index, index < 0 ? 0 : 1);
        assert.ok(program !== undefined, `no program with "${step.command}" runs`);
        await program.stop();
        return;
      }
      case "browser": {
        const act = browserSteps[step.name];
        assert.ok(act !== undefined, `the test has no browser step "${step.name}"`);
        await act((port) => adapt(String(port)));
      }
    }
  };
  return {
    take,
    /** What the running programs printed, for the message of a failure. */
    outputs: () => programs.map(({ command, output }) => `\n--- ${command}\n${output}`).join(""),
    close: () => {
      for (const program of programs) program.kill();
      shell.close();
    },
  };
}

/** The environment of a reader: without the settings of this test, of npm scripts and of the service. */
function readersEnvironment(npmFolder: string): NodeJS.ProcessEnv {
  const own =
    /^(HOLDFAST_|NODE_(OPTIONS|PATH|TEST_CONTEXT|V8_COVERAGE)$|npm_(lifecycle|package|command|execpath)|INIT_CWD$)/;
  const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
  const path = [npmFolder, dirname(process.execPath), process.env["PATH"]].join(delimiter);
  return { ...Object.fromEntries(inherited), PATH: path, CURL_HOME: npmFolder, NO_COLOR: "1" };
}

/** Checks the status that the comment of a command names: `curl … # 401`. */
function checkStatus(command: string, output: string): void {
  const expected = / # (\d{3})\b/.exec(command)?.[1];
  if (expected === undefined) return;
  const statuses = [...output.matchAll(/HTTP\/[\d.]+ (\d{3})/g)].map(([, status]) => status);
  assert.equal(statuses.at(-1), expected, `${command}\n${output}`);
}

/** Whether the lines that the page shows occur in this order. `…` stands for any text. Names of headers have no case. */
function shows(printed: string, expected: string): boolean {
  const lines = printed.split("\n");
  let next = 0;
  for (const line of expected.split("\n")) {
    if (line.trim() === "") continue;
    const found = lines.findIndex((one, i) => i >= next && matches(one, line.trim()));
    if (found < 0) return false;
    next = found + 1;
  }
  return true;
}

function matches(line: string, expected: string): boolean {
  const text = line.toLowerCase();
  let from = 0;
  for (const part of expected.toLowerCase().split("…")) {
    const found = text.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return true;
}
