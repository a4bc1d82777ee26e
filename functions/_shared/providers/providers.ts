/** The providers of models, by the names that the catalogue has for them. */
import type { Environment } from "../deps.ts";
import { scripError } from "../errors.ts";
import type { Provider } from "./provider.ts";
import type { ProviderEvent } from "./replicate.ts";

/** The providers of models. Each is loaded when it is needed: their clients are large. */
export interface Providers {
  /**
   * The provider of that name.
   *
   * @throws {ScripError} `provider_failed` when there is none.
   */
  get(name: string): Promise<Provider>;
  /**
   * Reads a webhook of a provider.
   *
   * @throws {ScripError} `not_found` when it sends none; `invalid_signature`; `invalid_request` when it is signed, but
   * isn't about a run.
   */
  readWebhook(name: string, request: Request, body: string): Promise<ProviderEvent>;
}

/** Makes the providers from the environment. */
export function providersOf(env: Environment): Providers {
  const replicate = async () => (await import("./replicate.ts")).replicateProvider(env);
  return {
    get: async (name) => {
      switch (name) {
        case "demo":
          return (await import("./demo.ts")).demoProvider();
        case "openai":
          return (await import("./openai.ts")).openaiProvider(env);
        case "replicate":
          return await replicate();
        default:
          throw scripError("provider_failed", `There is no provider ${name}`);
      }
    },
    readWebhook: async (name, request, body) => {
      if (name !== "replicate") throw scripError("not_found", `${name} sends no webhooks`);
      return (await replicate()).readWebhook(request, body);
    },
  };
}
