/**
 * Admins, and they alone, read the outbox and have it delivered again.
 *
 * Method: the real routes with a database that only notes its calls.
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { routes } from "../../functions/admin/routes.ts";
import { asAdmin, asSecret, asUser, errorOf, sender } from "./fakes.ts";

const ID = "11111111-2222-4333-8444-555555555555";

const ask = sender("admin", routes);
const LISTED = ["b", "a"].map((id) => ({
  id: `${id}${ID.slice(1)}`,
  created_at: "2026-01-01T00:00:00.5+00:00",
}));

Deno.test("admins alone read the outbox and replay it", async () => {
  const operations = [["GET", "/outbox"], ["POST", `/outbox/${ID}/replay`], [
    "POST",
    "/outbox/replay",
  ]];
  for (const [method = "", path = ""] of operations) {
    for (const [headers, status] of [[{}, 401], [asUser, 403]] as const) {
      const { response, calls } = await ask(method, path, { headers });
      equal(response.status, status, path);
      deepEqual(calls, []);
    }
  }
});

Deno.test("the outbox is listed page by page, what is dead if nothing is said", async () => {
  const list = (query: string) =>
    ask("GET", `/outbox${query}`, { headers: asAdmin, answer: () => LISTED });
  const first = await (await list("?limit=1")).response.json();
  deepEqual(first.data, LISTED.slice(0, 1));
  const { response, calls } = await list(`?limit=2&status=pending&before=${first.next}`);
  deepEqual(calls[0]?.args, {
    page_size: 3,
    in_status: "pending",
    before_created_at: LISTED[0]?.created_at,
    before_id: LISTED[0]?.id,
  });
  equal((await response.json()).next, null);
  deepEqual((await list("")).calls[0]?.args, { page_size: 51, in_status: "dead" });
  for (
    const [query, message] of [
      ["?status=failed", "status: must be pending, delivered, skipped or dead"],
      ["?limit=0", "limit: must be a whole number from 1 to 200"],
      ["?before=x", "before: must be the `next` of a page"],
      ["?id=x", "id: is not a field of this request"],
    ] as const
  ) {
    const { response, calls } = await list(query);
    equal((await errorOf(response)).message, message);
    deepEqual(calls, []);
  }
});

Deno.test("one delivery is replayed by its id, many by their status", async () => {
  const one = await ask("POST", `/outbox/${ID}/replay`, {
    headers: asSecret,
    answer: () => [{ id: ID, status: "pending" }],
  });
  deepEqual(await one.response.json(), { id: ID, status: "pending" });
  deepEqual(one.calls, [{ name: "replay_outbox", args: { outbox_id: ID } }]);
  for (const body of [{ status: "dead" }, { status: "skipped", destination: "hub" }]) {
    const many = await ask("POST", "/outbox/replay", {
      headers: asAdmin,
      body,
      answer: () => [{ replayed: 3 }],
    });
    deepEqual(await many.response.json(), { replayed: 3 });
    deepEqual(many.calls, [{ name: "replay_outbox_all", args: body }]);
  }
  for (
    const [path, body, message] of [
      ["/outbox/x/replay", {}, "id: must be a UUID"],
      [`/outbox/${ID}/replay`, { a: 1 }, "a: is not a field of this request"],
      ["/outbox/replay", {}, "status: is required"],
      ["/outbox/replay", { status: "late" }, "status: must be pending, delivered, skipped or dead"],
      [
        "/outbox/replay",
        { status: "dead", destination: "x" },
        "destination: must be hub or webhook",
      ],
      [
        "/outbox/replay",
        { status: "dead", max_count: 1 },
        "max_count: is not a field of this request",
      ],
    ] as const
  ) {
    const { response, calls } = await ask("POST", path, { headers: asAdmin, body });
    equal((await errorOf(response)).message, message);
    deepEqual(calls, []);
  }
});
