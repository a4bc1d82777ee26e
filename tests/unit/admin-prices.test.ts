/**
 * Admins, and they alone, read and set prices and currency rates: with the digits that they write, or not at all.
 *
 * Method: the real routes with a database that only notes its calls.
 */
// Deno's `equal` and `deepEqual` of this module are loose.
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { scripError } from "../../functions/_shared/errors.ts";
import { routes } from "../../functions/admin/routes.ts";
import { asAdmin, asSecret, asUser, errorOf, OTHER_USER, sender } from "./fakes.ts";

const send = sender("admin", routes);
const get = (path: string, answer = () => LISTED) =>
  send("GET", path, { headers: asAdmin, answer });
const put = (path: string, body: unknown, answer: () => unknown[] = () => []) =>
  send("PUT", path, { headers: asAdmin, body, answer });

const LISTED: unknown[] = ["b", "a"].map((id) => ({
  id: `${id}${OTHER_USER.slice(1)}`,
  service: "openai",
  model: "gpt-4",
  input_usd_per_million: "30.00",
  created_at: "2026-01-01T00:00:00.5+00:00",
}));
const PRICE = { service: "openai", model: "gpt-4", input_usd_per_million: "30" };
const SET = {
  price_id: OTHER_USER,
  in_force_from: "2026-01-01T00:00:00+00:00",
  outcome: "set",
};
const RATES: unknown[] = ["2026-01-02", "2026-01-01"].map((day) => ({
  day,
  usd_eur: "0.85",
  source: "ecb",
  created_at: "2026-01-01T00:00:00+00:00",
}));

/** Expects a 400 with this message, and no call of the database. */
async function refused(sent: ReturnType<typeof send>, message: string) {
  const { response, calls } = await sent;
  const { status, code, message: told } = await errorOf(response);
  deepEqual({ status, code, told }, { status: 400, code: "invalid_request", told: message });
  deepEqual(calls, []);
}

Deno.test("admins alone read and set prices and rates", async () => {
  for (const path of ["/prices", "/currency-rates"]) {
    for (const method of ["GET", "PUT"]) {
      for (const [headers, status] of [[{}, 401], [asUser, 403]] as const) {
        const { response, calls } = await send(method, path, { headers });
        equal(response.status, status, path);
        deepEqual(calls, []);
      }
    }
    const { response } = await send("GET", path, { headers: asSecret, answer: () => RATES });
    equal(response.status, 200);
  }
});

Deno.test("prices are listed in all their versions, page by page, of a service and model or all", async () => {
  const first = await get("/prices?limit=1");
  const { data, next } = await first.response.json();
  deepEqual(data, LISTED.slice(0, 1));
  deepEqual(first.calls, [{ name: "list_model_prices", args: { page_size: 2 } }]);
  const { response, calls } = await get(
    `/prices?service=openai&model=gpt-4&limit=2&before=${next}`,
  );
  equal((await response.json()).next, null);
  deepEqual(calls[0]?.args, {
    in_service: "openai",
    in_model: "gpt-4",
    page_size: 3,
    before_created_at: Object(LISTED[0]).created_at,
    before_id: Object(LISTED[0]).id,
  });
  await refused(get("/prices?limit=0"), "limit: must be a whole number from 1 to 200");
  await refused(get("/prices?before=x"), "before: must be the `next` of a page");
  await refused(get("/prices?source=manual"), "source: is not a field of this request");
  await refused(
    get("/prices?model="),
    "model: must be text of 1 to 200 characters, without NUL",
  );
});

Deno.test("a price is set with its digits, from now or the time that is given", async () => {
  const { response, calls } = await put("/prices", PRICE, () => [SET]);
  deepEqual(await response.json(), {
    id: OTHER_USER,
    ...PRICE,
    valid_from: SET.in_force_from,
    outcome: "set",
  });
  deepEqual(calls, [{ name: "set_model_price", args: PRICE }]);

  const all = {
    service: "s",
    model: "m",
    input_usd_per_million: "0.0000000001",
    cached_input_usd_per_million: "2.50",
    output_usd_per_million: "10.0000000000",
    usd_per_call: "0.012",
    usd_per_second: "0.000725",
    usd_per_image: "1000000",
  };
  const full = await put(
    "/prices",
    { ...all, valid_from: "2027-01-01T01:00:00+02:00" },
    () => [SET],
  );
  deepEqual(full.calls[0]?.args, { ...all, valid_from: "2026-12-31T23:00:00.000Z" });
});

Deno.test("a price that is not above 0 or has more digits than are kept is refused", async () => {
  const rule = 'must be US dollars above 0 such as "2.50", with at most 10 decimals';
  const fields = ["input", "cached_input", "output"].map((name) => `${name}_usd_per_million`);
  for (const field of [...fields, "usd_per_call", "usd_per_second", "usd_per_image"]) {
    for (
      const price of [
        "0",
        "0.0000000000",
        "-1",
        "0.00000000001",
        "1e3",
        "",
        " 1",
        "1,5",
        "NaN",
        null,
        true,
        -1,
        1e-7,
      ]
    ) {
      await refused(put("/prices", { ...PRICE, [field]: price }), `${field}: ${rule}`);
    }
    const json = JSON.stringify({ ...PRICE, [field]: "@" })
      .replace('"@"', "0.1000000000000000055511151231257827");
    await refused(put("/prices", json), `${field}: ${rule}`);
  }
  const { service: _, ...rest } = PRICE;
  await refused(put("/prices", rest), "service: is required");
  await refused(
    put("/prices", { ...PRICE, model: "" }),
    "model: must be text of 1 to 200 characters, without NUL",
  );
  await refused(
    put("/prices", { ...PRICE, source: "catalogue" }),
    "source: is not a field of this request",
  );
  await refused(
    put("/prices", { ...PRICE, valid_from: "tomorrow" }),
    "valid_from: must be a time such as 2026-01-31T12:00:00Z",
  );
});

Deno.test("rates are listed by the day, and set with their digits", async () => {
  const { response, calls } = await get("/currency-rates?limit=1", () => RATES);
  deepEqual(await response.json(), { data: RATES.slice(0, 1), next: "2026-01-02" });
  deepEqual(calls, [{ name: "list_currency_rates", args: { page_size: 2 } }]);
  const second = await get("/currency-rates?before=2026-01-02", () => RATES.slice(1));
  equal((await second.response.json()).next, null);
  deepEqual(second.calls[0]?.args, { page_size: 51, before_day: "2026-01-02" });

  const set = () => [{ rate_day: "2026-01-02", rate: "0.8499787505", outcome: "set" }];
  for (const body of [{ usd_eur: "0.8499787505" }, { usd_eur: "0.90", day: "2026-01-02" }]) {
    const { response, calls } = await put("/currency-rates", body, set);
    deepEqual(await response.json(), {
      day: "2026-01-02",
      usd_eur: "0.8499787505",
      outcome: "set",
    });
    deepEqual(calls, [{ name: "set_currency_rate", args: body }]);
  }
});

Deno.test("what is no rate, and what is no day, is refused", async () => {
  const rate = 'must be euros for a US dollar such as "0.85", above 0 and at most 10 decimals';
  for (const usd_eur of ["0", "0.00", "-1", "0.00000000001", "1e-1", "", null, true, 1e-7]) {
    await refused(put("/currency-rates", { usd_eur }), `usd_eur: ${rate}`);
  }
  await refused(put("/currency-rates", {}), "usd_eur: is required");
  const day = "day: must be a day such as 2026-01-31";
  for (const wrong of ["2026-02-30", "today", "0000-01-01", 20260101, null]) {
    await refused(put("/currency-rates", { usd_eur: "0.85", day: wrong }), day);
  }
  await refused(
    put("/currency-rates", { usd_eur: "0.85", source: "ecb" }),
    "source: is not a field of this request",
  );
  await refused(get("/currency-rates?before=x"), "before: must be a day such as 2026-01-31");
});

Deno.test("what SQL refuses is answered as it was raised", async () => {
  const answer = () => {
    throw scripError("forbidden", "The rate of 2026-01-01 stays: calls were reckoned by it");
  };
  const { response } = await put("/currency-rates", { usd_eur: "0.9", day: "2026-01-01" }, answer);
  equal((await errorOf(response)).status, 403);
});
