import { z } from "zod";
import type { Deps } from "../_shared/deps.ts";
import { Id, usd, WholeText } from "../_shared/fields.ts";
import { json, readJson } from "../_shared/http.ts";

/** GET notices/thresholds → get_low_balance_thresholds() */
export const getThresholds = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  return await answerThresholds(deps, userId);
};

const Whole = WholeText.nullable();

const Threshold = z.discriminatedUnion("balance", [
  z.strictObject({ balance: z.literal("tokens"), threshold: Whole }),
  z.strictObject({ balance: z.literal("usd"), threshold: usd(9_000_000_000).nullable() }),
  z.strictObject({ balance: z.literal("api_token"), token_id: Id, threshold: Whole }),
], {
  error: ({ code }) => code === "invalid_union" ? "must be tokens, usd or api_token" : undefined,
});

/** PUT notices/thresholds → set_low_balance_threshold(), get_low_balance_thresholds(); null for no notice */
export const putThreshold = (deps: Deps) => async (request: Request) => {
  const { userId } = await deps.verify(request, "user");
  const { threshold, ...of } = await readJson(request, Threshold);
  await deps.rpcOne("set_low_balance_threshold", {
    user_id: userId,
    ...of,
    threshold: threshold ?? undefined,
  });
  return await answerThresholds(deps, userId);
};

async function answerThresholds({ rpc }: Deps, userId: string): Promise<Response> {
  return json({ data: await rpc("get_low_balance_thresholds", { user_id: userId }) });
}
