/** One call of the API: its path, its parameters, what it does. */
import { z } from "zod";
import { expandAll } from "./expand.ts";
import type { Tree } from "./form.ts";
import { expand, page, readParams } from "./params.ts";
import type { World } from "./world.ts";

/** A call of the API. */
export interface Route {
  method: "DELETE" | "GET" | "POST";
  /** The path; a part that begins with a colon stands for an id. */
  path: string;
  /** Answers. */
  run(world: World, id: string, tree: Tree): object;
}

interface Expandable {
  expand?: string[] | undefined;
}

/** Defines a call. */
export function route<T extends Expandable>(
  method: Route["method"],
  path: string,
  schema: z.ZodType<T>,
  answer: (world: World, params: T, id: string) => object,
): Route {
  return {
    method,
    path,
    run(world, id, tree) {
      const params = readParams(schema, tree);
      return expandAll(world, answer(world, params, id), params.expand ?? []);
    },
  };
}

/** The parameters of a call that takes these and `expand`. */
export const params = <T extends z.core.$ZodShape>(shape: T) =>
  z.strictObject({ ...shape, expand });

/** The parameters of a call that takes nothing but `expand`. */
export const noParams = params({});

/** The parameters of a list that can be narrowed by these. */
export const listParams = <T extends z.core.$ZodShape>(shape: T) =>
  z.strictObject({ ...shape, ...page });
