import type { Page } from "playwright-core";

/** An element of the page that a reader can see, or its text. */
export type PageNode = string | PageElement;

export interface PageElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** What a field holds. `null` for an element that is no field. */
  readonly value: string | null;
  readonly isDisabled: boolean;
  /** Whether its text follows the text before it in the same line. */
  readonly isInline: boolean;
  readonly children: readonly PageNode[];
}

/** The tests have no types of the browser, so its part is a text. Choices of a closed list are not rendered. */
const readTree = `(selector) => {
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (!(node instanceof Element)) return "";
    if (node.localName !== "option" && !node.checkVisibility()) return "";
    return {
      tag: node.localName,
      attributes: Object.fromEntries([...node.attributes].map(({ name, value }) => [name, value])),
      value: node.matches("input, textarea, select") ? node.value : null,
      isDisabled: node.disabled === true,
      isInline: /^(?:inline|contents)/.test(getComputedStyle(node).display),
      children: [...node.childNodes].map(read),
    };
  };
  return [...document.querySelectorAll(selector)].map(read);
}`;

/** Reads the visible elements that `selector` finds. */
export async function readPageTree(page: Page, selector: string): Promise<readonly PageNode[]> {
  return await page.evaluate<readonly PageNode[]>(`(${readTree})(${JSON.stringify(selector)})`);
}
