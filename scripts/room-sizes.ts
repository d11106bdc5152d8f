/* Prints how large each room of `src` is: files, lines of code, and lines of comments. It limits nothing. */
import { globSync, readFileSync } from "node:fs";

interface Size {
  files: number;
  code: number;
  comments: number;
}

function sizeOf(file: string): Size {
  const source = readFileSync(file, "utf8");
  const withoutComments = source.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const lines = (text: string) => text.split("\n").filter((line) => line.trim() !== "").length;
  return { files: 1, code: lines(withoutComments), comments: lines(source) - lines(withoutComments) };
}

/** The room of a file: the first folder below `src`, and in the guard the second. */
function roomOf(file: string): string {
  const [, room = "", inner = ""] = file.split("/");
  if (room.endsWith(".ts")) return "(entries)";
  return room === "guard" && !inner.endsWith(".ts") ? `guard/${inner}` : room;
}

const rooms = new Map<string, Size>();
for (const file of globSync("src/**/*.{ts,tsx}")) {
  const size = sizeOf(file);
  const room = roomOf(file);
  const sum = rooms.get(room) ?? { files: 0, code: 0, comments: 0 };
  rooms.set(room, {
    files: sum.files + 1,
    code: sum.code + size.code,
    comments: sum.comments + size.comments,
  });
}
const row = (name: string, { files, code, comments }: Size) =>
  console.log(
    `${name.padEnd(20)} ${String(files).padStart(5)} ${String(code).padStart(7)} ${String(comments).padStart(9)}`,
  );
console.log("room                 files    code  comments");
const total: Size = { files: 0, code: 0, comments: 0 };
for (const [room, size] of [...rooms].toSorted(([a], [b]) => a.localeCompare(b))) {
  row(room, size);
  for (const key of ["files", "code", "comments"] as const) total[key] += size[key];
}
row("together", total);
