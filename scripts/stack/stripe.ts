/** The part `stripe`: stands in for Stripe's API, as long as no real key is configured. */
import { environment, exitWithParent, serveLocally } from "./child.ts";
import { openStandIn } from "./stripe/stand-in.ts";

exitWithParent();

const standIn = openStandIn({
  key: environment("STRIPE_SECRET_KEY"),
  webhookSecret: environment("STRIPE_WEBHOOK_SECRET"),
  webhookUrl: `${environment("SUPABASE_URL")}/functions/v1/stripe-webhook`,
  publicUrl: environment("SUPABASE_URL"),
  stateFile: environment("STRIPE_STATE_FILE"),
});

serveLocally((request) => standIn.handle(request));
