interface Template {
  readonly text: string;
  readonly segments: readonly string[];
  /** Whether further segments may follow. */
  readonly isPrefix: boolean;
}

/** Finds the route of a path, so that metrics and logs name the route and never what a client put into the path. */
export class RouteTemplates {
  readonly #fixed: ReadonlySet<string>;
  readonly #variable: readonly Template[];

  /** A segment `:name` of a template stands for any text. `/*` at the end stands for nothing, or for more segments. */
  constructor(templates: readonly string[]) {
    const isVariable = (text: string) => text.includes("/:") || text.endsWith("/*");
    this.#fixed = new Set(templates.filter((text) => !isVariable(text)));
    this.#variable = [...new Set(templates)].filter(isVariable).map((text) => {
      const isPrefix = text.endsWith("/*");
      return { text, isPrefix, segments: (isPrefix ? text.slice(0, -2) : text).split("/") };
    });
  }

  /** `target` is the target of a request, with its query. `null` when no route has the path. */
  find(target: string): string | null {
    const [path = ""] = target.split("?", 1);
    if (this.#fixed.has(path)) return path;
    const segments = path.split("/");
    return this.#variable.find((template) => matches(template, segments))?.text ?? null;
  }
}

function matches({ segments: wanted, isPrefix }: Template, segments: readonly string[]): boolean {
  const fits = isPrefix ? segments.length >= wanted.length : segments.length === wanted.length;
  return fits && wanted.every((segment, i) => segment.startsWith(":") || segment === segments[i]);
}
