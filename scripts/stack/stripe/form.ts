/** The bracket notation in which Stripe's parameters travel: `items[0][price]=price_1`. */
import { invalidParameter } from "./errors.ts";

/** Parameters as a tree; what is a list has the keys 0, 1, 2… */
export interface Tree {
  [name: string]: string | Tree;
}

const MOST_PARAMETERS = 1000;
const DEEPEST = 10;

/** The parts of `a[b][c]`. */
function pathOf(key: string): string[] {
  const first = key.indexOf("[");
  if (first === -1) return [key];
  const rest = key.slice(first);
  if (first === 0 || !/^(\[[^[\]]*\])+$/.test(rest)) {
    throw invalidParameter(`Invalid parameter name: ${key.slice(0, 100)}`);
  }
  return [key.slice(0, first), ...rest.slice(1, -1).split("][")];
}

function insert(tree: Tree, path: readonly string[], value: string, key: string) {
  let at = tree;
  for (const [index, part] of path.entries()) {
    // `expand[]` counts on by itself.
    const name = part === "" && index > 0 ? `${Object.keys(at).length}` : part;
    if (index === path.length - 1) {
      at[name] = value;
      return;
    }
    const next = at[name] ?? newTree();
    if (typeof next === "string") throw invalidParameter(`Invalid object`, { param: key });
    at[name] = next;
    at = next;
  }
}

// Without a prototype, no parameter's name is special.
const newTree = (): Tree => Object.create(null);

/** Reads an encoded form. */
export function parseForm(text: string): Tree {
  const tree = newTree();
  let count = 0;
  for (const [key, value] of new URLSearchParams(text)) {
    const path = pathOf(key);
    if (++count > MOST_PARAMETERS || path.length > DEEPEST) {
      throw invalidParameter("There are too many parameters");
    }
    insert(tree, path, value, key);
  }
  return tree;
}
