import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodePackage } from "./node-package.ts";
import { renamePackage, run, runRefused, type Project } from "./peer-project.ts";

const page = fileURLToPath(new URL("../docs/frameworks/commonjs.md", import.meta.url));
/** The oldest Node that Holdfast supports. Jest loads no ES module by `require` there. */
const OLDEST_NODE = "22.19.0";

/** The only code block of this language in docs/frameworks/commonjs.md. */
function recipe(language: string): string {
  const blocks = [...readFileSync(page, "utf8").matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(
    ([, name]) => name === language,
  );
  const [block] = blocks;
  if (block?.[2] === undefined || blocks.length > 1) {
    throw new Error(`the page must have one block of ${language}, and has ${String(blocks.length)}`);
  }
  return block[2].trim();
}

/** The binary of the oldest Node, installed in npm's cache. */
function oldestNode(project: string): string {
  const print = "node -p process.execPath";
  return run(project, "npx", ["-y", "-p", nodePackage(OLDEST_NODE), "-c", print]).trim();
}

/** A line of a shell in which `node` is this binary. */
function onNode(binary: string, line: string): readonly [command: string, args: readonly string[]] {
  return ["sh", ["-c", `PATH="$0:$PATH" && export PATH && ${line}`, dirname(binary)]];
}

/** Runs the Jest recipes in a project that has Jest: each passes, and the same test fails without it. */
export function tryJest({ folder: project, name }: Project): void {
  const command = recipe("sh");
  const bare = command.replace(/^NODE_OPTIONS=\S+ /, "");
  if (bare === command) throw new Error(`the command of Jest must set NODE_OPTIONS: ${command}`);
  const oldest = oldestNode(project);
  const onThisNode = (line: string) => onNode(process.execPath, line);
  const onOldestNode = (line: string) => onNode(oldest, line);
  const refused = "Must use import to load ES Module";

  runRefused(project, refused, ...onThisNode(`${bare} require`));
  run(project, ...onThisNode(`${command} require import`));
  runRefused(project, refused, ...onOldestNode(`${command} require`));
  run(project, ...onOldestNode(`${command} import`));
  writeFileSync(join(project, "jest.config.js"), renamePackage(recipe("js"), name));
  run(project, ...onOldestNode(`${bare} require`));
}

/** Compiles and runs the TypeScript recipes in a project that has TypeScript, and compiles without each of them. */
export function tryTypeScript({ folder: project, name }: Project): void {
  const tsc = [process.execPath, ["node_modules/typescript/bin/tsc", "-p", "."]] as const;
  const configure = (file: string, options: object) => {
    const compilerOptions = { strict: true, target: "es2022", outDir: "out", types: ["node"], ...options };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
  };
  const runProgram = () => {
    const output = run(project, process.execPath, ["out/program.js"]);
    if (!output.includes("passed")) throw new Error(`program.ts ended without a result:\n${output}`);
  };

  const { compilerOptions } = JSON.parse(renamePackage(recipe("json"), name)) as {
    compilerOptions: Record<string, unknown>;
  };
  const { baseUrl: _baseUrl, paths: _paths, ...withoutPaths } = compilerOptions;
  configure("program.ts", withoutPaths);
  runRefused(project, "TS2307", ...tsc);
  configure("program.ts", compilerOptions);
  run(project, ...tsc);
  runProgram();

  configure("program.ts", { module: "nodenext" });
  run(project, ...tsc);
  runProgram();

  const source = renamePackage(recipe("ts"), name);
  const plainType = source.replace(/ with \{[^}]*\}/, "");
  if (plainType === source)
    throw new Error('the recipe for node16 must import a type with "resolution-mode"');
  configure("program.ts", { module: "node16" });
  runRefused(project, "TS1479", ...tsc);
  configure("open-guard.ts", { module: "node16" });
  writeFileSync(join(project, "open-guard.ts"), plainType);
  runRefused(project, "TS1541", ...tsc);
  writeFileSync(join(project, "open-guard.ts"), source);
  run(project, ...tsc);
  const close = 'require("./out/open-guard.js").openGuard().then((guard) => guard.close())';
  run(project, process.execPath, ["-e", close]);
}
