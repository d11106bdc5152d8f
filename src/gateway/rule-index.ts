/** The parts of a rule by which it is found. */
export interface IndexedRule {
  /** `null` matches any host. */
  readonly host: string | null;
  /** `null` matches any method. */
  readonly methods: readonly string[] | null;
  readonly path: { readonly foldedBase: string; readonly includesBelow: boolean };
}

/** A rule and its place in the policy. */
interface PlacedRule<R> {
  readonly rule: R;
  readonly place: number;
}

/** The rules whose folded base leads from the root of the tree to this node. */
interface Node<R> {
  readonly children: Map<string, Node<R>>;
  /** The rules for this path and the paths below it, in the order of the policy. */
  readonly below: PlacedRule<R>[];
  /** The rules for this path only, in the order of the policy. */
  readonly exact: PlacedRule<R>[];
}

/**
 * The rules of a policy by host and by the segments of their paths. A lookup takes time in proportion to the segments of
 * the path, and not to the number of rules.
 */
export interface RuleIndex<R extends IndexedRule> {
  /** The rules that apply to any host. */
  readonly anyHost: Node<R>;
  readonly byHost: ReadonlyMap<string, Node<R>>;
}

function emptyNode<R>(): Node<R> {
  return { children: new Map(), below: [], exact: [] };
}

/** The rules must be in the order of the policy, because the first one that matches decides. */
export function indexPolicy<R extends IndexedRule>(policy: readonly R[]): RuleIndex<R> {
  const anyHost = emptyNode<R>();
  const byHost = new Map<string, Node<R>>();
  for (const [place, rule] of policy.entries()) {
    let node = anyHost;
    if (rule.host !== null) {
      node = byHost.get(rule.host) ?? emptyNode();
      byHost.set(rule.host, node);
    }
    // The part in front of the first slash is empty in every path.
    for (const segment of rule.path.foldedBase.split("/").slice(1)) {
      const child = node.children.get(segment) ?? emptyNode<R>();
      node.children.set(segment, child);
      node = child;
    }
    (rule.path.includesBelow ? node.below : node.exact).push({ rule, place });
  }
  return { anyHost, byHost };
}

/** Returns the first rule of the policy for this host and method whose folded path matches. `null` when none does. */
export function findRule<R extends IndexedRule>(
  { anyHost, byHost }: RuleIndex<R>,
  host: string,
  method: string,
  folded: string,
): R | null {
  const ofHost = byHost.get(host);
  const found = ofHost === undefined ? null : firstBelow(ofHost, method, folded, null);
  return firstBelow(anyHost, method, folded, found)?.rule ?? null;
}

/** Returns `best`, or a rule of the tree with an earlier place. */
function firstBelow<R extends IndexedRule>(
  root: Node<R>,
  method: string,
  folded: string,
  best: PlacedRule<R> | null,
): PlacedRule<R> | null {
  let node = root;
  let first = earlier(best, node.below, method);
  for (let start = 1; start <= folded.length;) {
    const slash = folded.indexOf("/", start);
    const end = slash === -1 ? folded.length : slash;
    const child = node.children.get(folded.slice(start, end));
    if (child === undefined) return first;
    node = child;
    first = earlier(first, node.below, method);
    start = end + 1;
  }
  return earlier(first, node.exact, method);
}

function earlier<R extends IndexedRule>(
  best: PlacedRule<R> | null,
  placed: readonly PlacedRule<R>[],
  method: string,
): PlacedRule<R> | null {
  for (const one of placed) {
    if (best !== null && best.place < one.place) return best;
    if (one.rule.methods === null || one.rule.methods.includes(method)) return one;
  }
  return best;
}
