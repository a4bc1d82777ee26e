import { dependencies } from "../_shared/deps.ts";
import { createHandler } from "../_shared/http.ts";
import { routes } from "./routes.ts";

Deno.serve(createHandler("provider-webhook", routes, dependencies()));
