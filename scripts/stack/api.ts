/** The part `api`: stands in for Supabase's REST and auth servers, by @supabase/lite. */
import { App, getAuthSchemaSql } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import { decodeJwt, SignJWT } from "jose";
import { z } from "zod";
import { environment, exitWithParent, serveLocally } from "./child.ts";
import { readConfig } from "./config.ts";

exitWithParent();

const { auth } = await readConfig();
const connection = createPostgresConnection({
  url: environment("SUPABASE_DB_URL"),
  postgresOptions: { max: 20, onnotice: () => {} },
});

// On seeing row-level security, lite would grant everything on every table to the API roles.
// The state says that it has done so.
Object.assign(connection, { rlsState: "active" });

// lite writes JSON objects as JSON strings; SQL that reads them expects what hosted Supabase has.
const OBJECTS_FROM_STRINGS = `
  create or replace function auth.objects_from_strings() returns trigger
  language plpgsql set search_path = '' as $$
  begin
    if pg_catalog.jsonb_typeof(new.raw_app_meta_data) = 'string' then
      new.raw_app_meta_data := (new.raw_app_meta_data #>> '{}')::jsonb;
    end if;
    if pg_catalog.jsonb_typeof(new.raw_user_meta_data) = 'string' then
      new.raw_user_meta_data := (new.raw_user_meta_data #>> '{}')::jsonb;
    end if;
    return new;
  end
  $$;
  create or replace trigger "00_objects_from_strings" before insert or update on auth.users
  for each row execute function auth.objects_from_strings();
`;

// The tables of the auth server belong to its own role, as on hosted Supabase.
await connection.driver.begin(async (sql) => {
  await sql.unsafe("set local role supabase_auth_admin");
  await sql.unsafe(getAuthSchemaSql());
  await sql.unsafe(OBJECTS_FROM_STRINGS);
});

const app = new App({
  connection,
  auth: {
    enabled: true,
    jwt_secret: environment("JWT_SECRET"),
    publishable_key: environment("SUPABASE_PUBLISHABLE_KEY"),
    secret_key: environment("SUPABASE_SECRET_KEY"),
    site_url: environment("SUPABASE_URL"),
    jwt_expiry: auth.jwt_expiry,
    enable_signup: auth.enable_signup,
    minimum_password_length: auth.minimum_password_length,
    // Nobody reads mail on a local stack.
    email: { enable_signup: auth.enable_signup, enable_confirmations: false },
  },
  api: { enabled: true, schemas: ["public"], extra_search_path: ["public", "extensions"] },
  storage: { enabled: false },
  studio: { enabled: false },
  options: { server: { admin: false, disableStudio: true } },
});

const Session = z.looseObject({
  access_token: z.string(),
  user: z.looseObject({
    phone: z.string().default(""),
    app_metadata: z.record(z.string(), z.unknown()),
    user_metadata: z.record(z.string(), z.unknown()),
    is_anonymous: z.boolean().default(false),
  }),
});
const signingKey = new TextEncoder().encode(environment("JWT_SECRET"));
const issuer = `${environment("SUPABASE_URL")}/auth/v1`;

/** Signs the session's token anew, with the claims that hosted tokens carry and lite's lack. */
async function completeToken(response: Response): Promise<Response> {
  const session = Session.safeParse(await response.clone().json().catch(() => undefined));
  if (!session.success) return response;
  const { access_token, user: { phone, app_metadata, user_metadata, is_anonymous } } = session.data;
  const claims = { phone, app_metadata, user_metadata, is_anonymous, aal: "aal1" };
  const token = await new SignJWT({ ...decodeJwt(access_token), ...claims, iss: issuer })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(signingKey);
  return Response.json({ ...session.data, access_token: token }, response);
}

const ISSUES_TOKENS = /^\/auth\/v1\/(signup|token|verify)$/;

serveLocally(async (request) => {
  const response = await app.fetch(request, { peerAddress: null });
  const issues = request.method === "POST" && ISSUES_TOKENS.test(new URL(request.url).pathname);
  return issues ? await completeToken(response) : response;
});
