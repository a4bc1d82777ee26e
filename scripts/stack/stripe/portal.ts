/** Billing portal sessions. */
import { z } from "zod";
import { invalidParameter } from "./errors.ts";
import { newId, randomText } from "./ids.ts";
import { oneOf, text, url } from "./params.ts";
import { params, route } from "./route.ts";
import type { PortalSession } from "./wire.ts";
import { find, type World } from "./world.ts";

const CONFIGURATION = "bpc_standin";

const FlowData = z.strictObject({
  type: oneOf("payment_method_update", "subscription_cancel"),
  subscription_cancel: z.strictObject({ subscription: text() }).optional(),
  after_completion: z.strictObject({
    type: oneOf("hosted_confirmation", "portal_homepage", "redirect"),
    redirect: z.strictObject({ return_url: url }).optional(),
  }).optional(),
});

const Create = params({
  configuration: text().optional(),
  customer: text(),
  flow_data: FlowData.optional(),
  locale: oneOf("auto", "de", "en", "en-GB", "es", "fr", "it", "ja", "nl", "pl", "pt").optional(),
  return_url: url.optional(),
});

function flowOf(world: World, asked: z.output<typeof Create>): PortalSession["flow"] {
  const { flow_data: flow } = asked;
  if (!flow) return null;
  const cancel = flow.subscription_cancel;
  if (flow.type === "subscription_cancel" && !cancel) {
    throw invalidParameter("Missing required param: flow_data[subscription_cancel].", {
      code: "parameter_missing",
      param: "flow_data[subscription_cancel]",
    });
  }
  if (cancel) {
    find(
      world,
      "subscription",
      cancel.subscription,
      "flow_data[subscription_cancel][subscription]",
    );
  }
  const after = flow.after_completion;
  return {
    after_completion: {
      hosted_confirmation: null,
      redirect: after?.redirect ?? null,
      type: after?.type ?? "portal_homepage",
    },
    customer_update: null,
    subscription_cancel: cancel ? { retention: null, subscription: cancel.subscription } : null,
    subscription_pause: null,
    subscription_update: null,
    subscription_update_confirm: null,
    type: flow.type,
  };
}

/** How long a portal session's page works. */
export const PORTAL_SECONDS = 3600;

/** The calls about billing portal sessions. */
export const portalRoutes = [
  route("POST", "/v1/billing_portal/sessions", Create, (world, asked) => {
    const customer = find(world, "customer", asked.customer, "customer");
    if (asked.configuration !== undefined && asked.configuration !== CONFIGURATION) {
      throw invalidParameter(`No such configuration: '${asked.configuration}'`, {
        code: "resource_missing",
        param: "configuration",
      });
    }
    const secret = randomText(40);
    const session: PortalSession = {
      id: newId("bps"),
      object: "billing_portal.session",
      after_expiration: null,
      configuration: CONFIGURATION,
      created: world.now(),
      customer: customer.id,
      customer_account: null,
      flow: flowOf(world, asked),
      livemode: false,
      locale: asked.locale ?? null,
      on_behalf_of: null,
      return_url: asked.return_url ?? null,
      url: `${world.publicUrl}/stand-in/portal/${secret}`,
    };
    world.store.put("portal", { id: secret, session });
    return session;
  }),
];
