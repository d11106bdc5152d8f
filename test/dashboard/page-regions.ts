import type { PageElement, PageNode } from "./page-tree.ts";

/** A part of the page with a name, and its lines as an operator reads them. */
export interface Region {
  readonly name: string;
  readonly lines: readonly string[];
}

const inlineTags: ReadonlySet<string> = new Set(
  "a b button code em h1 h2 h3 input kbd select small span strong svg td textarea th".split(" "),
);
const regionTags: ReadonlySet<string> = new Set(["section", "figure", "form", "nav", "dialog"]);

/** Divides what is visible into regions. A region inside another one is a region of its own. */
export function regionsOf(nodes: readonly PageNode[], name: string): Region[] {
  const lines: string[] = [];
  const inner: PageElement[] = [];
  for (const node of nodes) lines.push(...linesOf(node, inner));
  const own = lines.length === 0 ? [] : [{ name, lines }];
  return [...own, ...inner.flatMap((element) => regionsOf(element.children, nameOf(element, name)))];
}

/** The title of a region, or its label for a screen reader. */
function nameOf(element: PageElement, outer: string): string {
  const label = element.attributes["aria-label"];
  const heading = findHeading(element);
  return label ?? (heading === null ? `${element.tag} of ${outer}` : inlineText(heading.children));
}

function findHeading(element: PageElement): PageElement | null {
  for (const child of element.children) {
    if (typeof child === "string") continue;
    const found = /^h\d$/.test(child.tag) ? child : findHeading(child);
    if (found !== null) return found;
  }
  return null;
}

/** The lines of a node. A region inside it goes to `inner`. */
function linesOf(node: PageNode, inner: PageElement[]): string[] {
  if (typeof node === "string") return node.trim() === "" ? [] : [oneLine(node)];
  if (regionTags.has(node.tag)) {
    inner.push(node);
    return [];
  }
  if (node.attributes["class"]?.split(" ").includes("plot") === true) return [];
  if (inlineTags.has(node.tag)) return [inlineText([node])].filter((text) => text !== "");
  if (node.tag === "tr") return [cellsOf(node, inner)];
  if (node.tag === "pre") return inlineSource(node).split("\n");
  const lines: string[] = [];
  for (const run of runsOf(node)) {
    if (Array.isArray(run)) lines.push(...[inlineText(run)].filter((text) => text !== ""));
    else lines.push(...linesOf(run, inner));
  }
  const before = markOf(node);
  const label = labelOf(node);
  const text = node.tag === "dl" ? factsOf(node) : lines;
  const marked = before === "" ? text : [`${before}${text[0] ?? ""}`, ...text.slice(1)];
  const shown =
    node.tag === "li" ? marked.map((line, index) => `${index === 0 ? "- " : "  "}${line}`) : marked;
  return label === "" ? shown : [label, ...shown];
}

/** The children, where those that stand in one line are together. */
function runsOf({ children }: PageElement): (PageNode[] | PageElement)[] {
  const runs: (PageNode[] | PageElement)[] = [];
  for (const child of children) {
    const isInline = typeof child === "string" || inlineTags.has(child.tag);
    const last = runs.at(-1);
    if (!isInline) runs.push(child);
    else if (Array.isArray(last)) last.push(child);
    else runs.push([child]);
  }
  return runs;
}

function cellsOf(row: PageElement, inner: PageElement[]): string {
  return row.children
    .filter((cell) => typeof cell !== "string")
    .map((cell) => linesOf({ ...cell, tag: "div" }, inner).join(" / "))
    .join(" | ");
}

/** The names and values of a list of facts. Each pair may have an element around it. */
function factsOf(list: PageElement): string[] {
  const facts: string[] = [];
  for (const child of list.children) {
    if (typeof child === "string") continue;
    const text = linesOf({ ...child, tag: "div" }, []).join(" / ");
    if (child.tag === "dt") facts.push(`${text}: `);
    else if (child.tag === "dd") facts.push(`${facts.pop() ?? ""}${text}`);
    else facts.push(...factsOf(child));
  }
  return facts;
}

function inlineText(nodes: readonly PageNode[]): string {
  return oneLine(nodes.map((node) => (typeof node === "string" ? node : inlineElement(node))).join(""));
}

function inlineElement(element: PageElement): string {
  const { tag, attributes, value, children } = element;
  if (tag === "svg") return drawingOf(element);
  if (tag === "select") return `[${children.map((option) => optionOf(option, value)).join(" ")}]`;
  if (value !== null)
    return `[${attributes["type"] ?? tag}${value === "" ? "" : `: ${value}`}]${stateOf(element)}`;
  const text = children.map((child) => (typeof child === "string" ? child : inlineElement(child))).join("");
  const space = element.isInline ? "" : " ";
  const marked = `${space}${markOf(element)}${text}${space}`;
  if (tag === "button") return ` [${oneLine(marked)}]${stateOf(element)} `;
  if (tag === "a") return ` ${oneLine(marked)}<${attributes["href"] ?? ""}>${stateOf(element)} `;
  if (/^h\d$/.test(tag)) return `${"#".repeat(Number(tag[1]))} ${marked} `;
  return marked;
}

function optionOf(option: PageNode, value: string | null): string {
  if (typeof option === "string") return "";
  const text = inlineText(option.children);
  return (option.value ?? option.attributes["value"] ?? text) === value ? `(${text})` : text;
}

/** Lines between the steps, and the states of a strip. Other drawings repeat a text beside them. */
function drawingOf({ attributes, children }: PageElement): string {
  if (!/^(?:flows|strip-line)$/.test(attributes["class"] ?? "")) return "";
  const shapes = children.map((child) => {
    if (typeof child === "string") return "";
    const { class: kind = "", "stroke-width": width = "" } = child.attributes;
    if (child.tag === "path") return `${kind} ${Number(width).toFixed(1)}`;
    const [rect] = child.children;
    const { x = "", width: wide = "", height = "" } = typeof rect === "object" ? rect.attributes : {};
    return `${kind} from ${Math.round(Number(x))} wide ${Math.round(Number(wide))} high ${height}`;
  });
  return ` {${shapes.join(", ")}} `;
}

/** The tone and other meanings that the style gives an element, and the end of a bar. */
function markOf({ attributes }: PageElement): string {
  const classes = (attributes["class"] ?? "").split(" ");
  const tone = classes.find((name) => name.startsWith("tone-"))?.slice("tone-".length);
  const marks = classes.filter((name) => /^(?:error|danger|stale|off|compact|hidden|step)$/.test(name));
  const role = /^(?:alert|status)$/.test(attributes["role"] ?? "") ? attributes["role"] : undefined;
  const place = /^(?:width|left): ([\d.]+)/.exec(attributes["style"] ?? "")?.[1];
  const bar = place === undefined ? undefined : `at ${Math.round(Number(place))} %`;
  const all = [role, tone, ...marks, bar].filter((mark) => mark !== undefined);
  return all.length === 0 ? "" : `(${all.join(" ")}) `;
}

function labelOf({ tag, attributes }: PageElement): string {
  const label = attributes["aria-label"];
  return label === undefined || tag === "main" ? "" : `${attributes["role"] ?? tag} "${label}":`;
}

function stateOf({ attributes, isDisabled }: PageElement): string {
  const states = ["pressed", "expanded", "current"].flatMap((state) => {
    const value = attributes[`aria-${state}`];
    return value === undefined ? [] : [`${state}=${value}`];
  });
  const all = [...(isDisabled ? ["disabled"] : []), ...states];
  return all.length === 0 ? "" : `(${all.join(" ")})`;
}

function inlineSource({ children }: PageElement): string {
  return children.map((child) => (typeof child === "string" ? child : inlineSource(child))).join("");
}

function oneLine(text: string): string {
  return text.replaceAll("\u00a0", "~").replaceAll(/\s+/g, " ").trim();
}
