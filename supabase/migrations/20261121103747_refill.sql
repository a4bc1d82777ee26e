-- Generated from sql/ by `npm run db:diff -- refill`. Do not edit.

CREATE TYPE "private"."outbox_status" AS ENUM ('pending', 'delivered', 'skipped', 'dead');

CREATE TYPE "public"."api_token_kind" AS ENUM ('product', 'master');

CREATE TYPE "public"."api_token_status" AS ENUM ('active', 'revoked');

CREATE TYPE "public"."api_token_transaction_type" AS ENUM ('refill', 'consume', 'adjustment');

CREATE TYPE "public"."notice_type" AS ENUM ('balance.low', 'auto_top_up.stopped');

CREATE TYPE "public"."refill_mode" AS ENUM ('usd', 'credits');

set local check_function_bodies = off;

CREATE TABLE "private"."api_keys" ("key_hash" bytea NOT NULL, "user_id" uuid NOT NULL, "token_id" uuid NOT NULL, "operation_id" text NOT NULL, "request" jsonb NOT NULL, CONSTRAINT "api_keys_operation_id_key" UNIQUE (user_id, operation_id), CONSTRAINT "api_keys_pkey" PRIMARY KEY (key_hash));

ALTER TABLE "private"."api_keys" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "private"."outbox" ("id" uuid NOT NULL, "seq" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "destination" text NOT NULL, "subject" uuid NOT NULL, "event" text NOT NULL, "payload" jsonb NOT NULL, "status" private.outbox_status NOT NULL DEFAULT 'pending'::private.outbox_status, "attempts" integer NOT NULL DEFAULT 0, "due_at" timestamp with time zone NOT NULL DEFAULT now(), "claim_id" uuid, "error" text, "created_at" timestamp with time zone NOT NULL DEFAULT now(), "finished_at" timestamp with time zone, CONSTRAINT "outbox_attempts_check" CHECK ((attempts >= 0)), CONSTRAINT "outbox_claim_id_check" CHECK (((claim_id IS NULL) OR (status = 'pending'::private.outbox_status))), CONSTRAINT "outbox_destination_check" CHECK ((destination = ANY (ARRAY['hub'::text, 'webhook'::text]))), CONSTRAINT "outbox_finished_at_check" CHECK (((finished_at IS NULL) = (status = 'pending'::private.outbox_status))), CONSTRAINT "outbox_pkey" PRIMARY KEY (id));

ALTER TABLE "private"."outbox" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."api_token_transactions" ("user_id" uuid NOT NULL, "token_id" uuid NOT NULL, "version" bigint NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "type" public.api_token_transaction_type NOT NULL, "amount" bigint NOT NULL, "credits_after" bigint NOT NULL, "operation_id" text, "reference" text, "actor" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "api_token_transactions_operation_id_key" UNIQUE (user_id, token_id, operation_id), CONSTRAINT "api_token_transactions_pkey" PRIMARY KEY (user_id, token_id, version));

ALTER TABLE "public"."api_token_transactions" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."api_tokens" ("user_id" uuid NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "kind" public.api_token_kind NOT NULL, "product_id" uuid, "name" text NOT NULL, "status" public.api_token_status NOT NULL DEFAULT 'active'::public.api_token_status, "credits" bigint NOT NULL DEFAULT 0, "version" bigint NOT NULL DEFAULT 1, "hub_id" text, "key_hint" text, "low_balance_threshold" bigint, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "revoked_at" timestamp with time zone, CONSTRAINT "api_tokens_credits_check" CHECK (((credits >= 0) AND (credits <= '9000000000000000'::bigint))), CONSTRAINT "api_tokens_hub_id_check" CHECK (((length(hub_id) >= 1) AND (length(hub_id) <= 255))), CONSTRAINT "api_tokens_kind_check" CHECK (((kind = 'product'::public.api_token_kind) = (product_id IS NOT NULL))), CONSTRAINT "api_tokens_low_balance_threshold_check" CHECK (((low_balance_threshold >= 1) AND (low_balance_threshold <= '9000000000000000'::bigint))), CONSTRAINT "api_tokens_name_check" CHECK (((length(name) >= 1) AND (length(name) <= 100))), CONSTRAINT "api_tokens_pkey" PRIMARY KEY (user_id, id));

ALTER TABLE "public"."api_tokens" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."api_tokens" SET (fillfactor=50);

CREATE TABLE "public"."notices" ("user_id" uuid NOT NULL, "id" uuid NOT NULL DEFAULT gen_random_uuid(), "type" public.notice_type NOT NULL, "data" jsonb NOT NULL, "read_at" timestamp with time zone, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "notices_pkey" PRIMARY KEY (user_id, id));

ALTER TABLE "public"."notices" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."products" ("id" uuid NOT NULL DEFAULT gen_random_uuid(), "name" text NOT NULL, "description" text, "value_credits_usd" numeric(20,10), "active" boolean NOT NULL DEFAULT true, "created_at" timestamp with time zone NOT NULL DEFAULT now(), CONSTRAINT "products_name_check" CHECK (((length(name) >= 1) AND (length(name) <= 200))), CONSTRAINT "products_pkey" PRIMARY KEY (id), CONSTRAINT "products_value_credits_usd_check" CHECK (((value_credits_usd > (0)::numeric) AND (value_credits_usd <= (1000000000)::numeric))));

ALTER TABLE "public"."products" ENABLE ROW LEVEL SECURITY;

CREATE TABLE "public"."refill_transactions" ("user_id" uuid NOT NULL, "id" uuid NOT NULL, "token_id" uuid NOT NULL, "version" bigint NOT NULL, "mode" public.refill_mode NOT NULL, "credits_added" bigint NOT NULL, "usd_spent" numeric(24,10) NOT NULL, "fee" numeric(20,10) NOT NULL, "rate" numeric(20,10) NOT NULL, "credits_after" bigint NOT NULL, "usd_balance_after" numeric(24,10) NOT NULL, "product_id" uuid, "operation_id" text NOT NULL, "created_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), CONSTRAINT "refill_transactions_credits_added_check" CHECK ((credits_added > 0)), CONSTRAINT "refill_transactions_fee_check" CHECK ((fee >= (0)::numeric)), CONSTRAINT "refill_transactions_operation_id_key" UNIQUE (user_id, operation_id), CONSTRAINT "refill_transactions_pkey" PRIMARY KEY (user_id, id), CONSTRAINT "refill_transactions_rate_check" CHECK ((rate > (0)::numeric)));

ALTER TABLE "public"."refill_transactions" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."settings" ADD COLUMN "refill_fee_usd" numeric(20,10) NOT NULL DEFAULT 0.0001;

ALTER TABLE "public"."settings" ADD COLUMN "master_rate_usd" numeric(20,10) NOT NULL DEFAULT 0.001;

ALTER TABLE "public"."usd_balances" ADD COLUMN "low_balance_threshold" numeric(24,10);

ALTER TABLE "public"."user_tokens" ADD COLUMN "low_balance_threshold" bigint;

CREATE OR REPLACE FUNCTION private.add_api_token(user_id uuid, kind public.api_token_kind, product_id uuid, name text, key_hint text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_token public.api_tokens;
begin
  if product_id is not null then
    perform from public.products p where p.id = add_api_token.product_id and p.active for key share;
    if not found then
      perform private.raise_error('product_not_found', format('There is no product %s on offer', product_id));
    end if;
  end if;
  if (
    select count(*)
    from public.api_tokens t
    where t.user_id = add_api_token.user_id and (t.status = 'active' or t.created_at > now() - interval '1 day')
  ) >= 100 then
    perform private.raise_error(
      'too_many_api_tokens',
      'You have 100 API tokens that are active or were made within a day, and may have 100',
      hint => 'Revoke one that is not needed, or try again tomorrow.'
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  begin
    insert into public.api_tokens as t (user_id, kind, product_id, name, key_hint)
    values (add_api_token.user_id, kind, product_id, name, key_hint)
    returning t.* into v_token;
  exception
    when foreign_key_violation then
      perform private.raise_user_not_found(user_id);
  end;
  perform set_config('scrip.posting', '', true);
  perform private.tell_hub(v_token, 'created');
  return v_token.id;
end;
$function$;

CREATE OR REPLACE FUNCTION private.adopt_api_token_journal()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  -- Whoever is deleting the old row holds it, and has yet to commit the journal's last row.
  perform from public.api_tokens t where t.user_id = new.user_id and t.id = new.id for update;
  select coalesce(max(t.version), 0) + 1 into new.version
  from public.api_token_transactions t
  where t.user_id = new.user_id and t.token_id = new.id;
  new.revoked_at := case new.status when 'revoked' then coalesce(new.revoked_at, now()) end;
  return new;
end;
$function$;

CREATE OR REPLACE FUNCTION private.check_api_token_name(name text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if (length(name) between 1 and 100) is not true then
    perform private.raise_error('invalid_request', 'name must have 1 to 100 characters');
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.delete_notices()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  delete from public.notices n where n.user_id = old.id;
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.error_codes()
 RETURNS TABLE(code text, http_status integer, meaning text)
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  values
    ('invalid_request', 400, 'The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.'),
    ('invalid_amount', 400, 'The amount is not a whole number of tokens from 1 to 9000000000000000.'),
    ('balance_limit_exceeded', 400, 'The balance would exceed 9000000000000000 tokens or credits, the largest that JSON carries exactly, or 9000000000 US dollars.'),
    ('invalid_signature', 400, 'The webhook''s signature is missing, wrong or too old.'),
    ('livemode_mismatch', 400, 'The event is of Stripe''s test mode and this is live, or the reverse.'),
    ('refill_too_small', 400, 'The amount does not pay for the fee and one credit.'),
    ('unauthorized', 401, 'The credentials are missing, malformed, expired or not signed by this project.'),
    ('insufficient_tokens', 403, 'The user has fewer tokens than the operation needs.'),
    ('insufficient_usd', 403, 'The user''s USD balance is smaller than the refill costs.'),
    ('insufficient_credits', 403, 'The API token has fewer credits than are to be spent.'),
    ('forbidden', 403, 'The caller is known but may not do this.'),
    ('journal_append_only', 403, 'Journal rows are written by operations only, and are never changed or deleted.'),
    ('not_found', 404, 'There is no such route.'),
    ('user_not_found', 404, 'There is no such user.'),
    ('charge_not_found', 404, 'The user has no charge with this operation_id.'),
    ('hold_not_found', 404, 'The user has no hold with this operation_id.'),
    ('code_not_found', 404, 'There is no such access code.'),
    ('package_not_found', 404, 'There is no such package for sale.'),
    ('plan_not_found', 404, 'There is no such plan on offer.'),
    ('api_token_not_found', 404, 'There is no such API token, or it is somebody else''s.'),
    ('product_not_found', 404, 'There is no such product on offer.'),
    ('notice_not_found', 404, 'The user has no such notice.'),
    ('stripe_event_not_found', 404, 'There is no such event of Stripe''s.'),
    ('delivery_not_found', 404, 'There is no such row in the outbox.'),
    ('method_not_allowed', 405, 'The route exists, but not for this method.'),
    ('operation_id_reused', 409, 'This operation_id was used before with other arguments.'),
    ('hold_not_active', 409, 'The hold has ended in another way: it is settled or released.'),
    ('refund_exceeds_charge', 409, 'The refund is more than what is left of the charge.'),
    ('derived_column', 409, 'The column is kept by Scrip from other rows; change those instead.'),
    ('code_already_used', 409, 'The access code is used up, or this user has used it.'),
    ('already_subscribed', 409, 'The user has a subscription already.'),
    ('payment_method_required', 409, 'There is no saved card that can be charged.'),
    ('api_token_revoked', 409, 'The API token is revoked.'),
    ('product_unavailable', 409, 'The token''s product is not on offer any more, or has no valid rate.'),
    ('too_many_api_tokens', 409, 'The user has as many API tokens that are active or were made within a day as are allowed.'),
    ('code_expired', 410, 'The access code has expired.'),
    ('rate_limited', 429, 'Too many attempts; Retry-After says in how many seconds to try again.'),
    ('internal_error', 500, 'Scrip failed; the log has the cause under the request id.'),
    ('provider_failed', 502, 'Stripe or another provider failed or refused; the message says why.'),
    ('service_unavailable', 503, 'The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.')
$function$;

CREATE OR REPLACE FUNCTION private.generate_api_key()
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key text := 'scrip_';
  v_bytes bytea;
  v_byte integer;
begin
  while length(v_key) < 46 loop
    v_bytes := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    for i in 0..31 loop
      v_byte := get_byte(v_bytes, i);
      if v_byte < 248 then
        v_key := v_key || substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', v_byte % 62 + 1, 1);
      end if;
    end loop;
  end loop;
  v_key := left(v_key, 46);
  return v_key || left(encode(sha256(convert_to(v_key, 'UTF8')), 'hex'), 8);
end;
$function$;

CREATE OR REPLACE FUNCTION private.hash_api_key(api_key text)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select sha256(convert_to(api_key, 'UTF8'))
$function$;

CREATE OR REPLACE FUNCTION private.journal_api_token()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_token public.api_tokens := case tg_op when 'DELETE' then old else new end;
  v_change bigint := case tg_op
    when 'INSERT' then new.credits
    when 'UPDATE' then new.credits - old.credits
    else -old.credits
  end;
  v_event text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  if tg_op = 'UPDATE' then
    if (old.user_id, old.id, old.kind, old.version, old.key_hint, old.revoked_at)
      is distinct from (new.user_id, new.id, new.kind, new.version, new.key_hint, new.revoked_at)
    then
      perform private.raise_error(
        'derived_column',
        'user_id, id, kind, version, key_hint and revoked_at cannot be changed',
        hint => 'Edit credits, status or name, or create another token.'
      );
    end if;
    if (old.credits, old.status, old.name, old.product_id, old.hub_id)
      is not distinct from (new.credits, new.status, new.name, new.product_id, new.hub_id)
    then
      return null;
    end if;
  end if;

  perform set_config('scrip.posting', 'on', true);
  if tg_op = 'UPDATE' then
    update public.api_tokens t
    set
      version = t.version + 1,
      revoked_at = case new.status when 'revoked' then coalesce(t.revoked_at, now()) end
    where t.user_id = new.user_id and t.id = new.id
    returning t.* into v_token;
    if old.status = 'active' and new.status = 'revoked' then
      v_event := 'revoked';
    end if;
  elsif tg_op = 'DELETE' then
    v_token.version := old.version + 1;
    v_token.credits := 0;
    v_token.status := 'revoked';
    delete from public.notices n where n.user_id = old.user_id and n.data ->> 'token_id' = old.id::text;
  end if;
  if v_change <> 0 or tg_op = 'DELETE' then
    insert into public.api_token_transactions (user_id, token_id, version, type, amount, credits_after, actor)
    values (
      v_token.user_id, v_token.id, v_token.version, 'adjustment', v_change, v_token.credits,
      coalesce(nullif(current_setting('role'), 'none'), session_user)
    );
  end if;
  perform set_config('scrip.posting', '', true);
  perform private.tell_hub(v_token, v_event);
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.journal_user_tokens()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'DELETE' then
    delete from public.token_holds h where h.user_id = old.user_id;
    perform private.journal_edit(old.user_id, 'adjustment', 'purchased', -old.tokens_purchased);
    perform private.journal_edit(old.user_id, 'adjustment', 'used', old.tokens_used);
    return null;
  end if;

  if (
    new.tokens_purchased between 0 and 9000000000000000 and new.tokens_used between 0 and 9000000000000000
  ) is not true and (
    tg_op = 'INSERT' or (old.tokens_purchased, old.tokens_used) <> (new.tokens_purchased, new.tokens_used)
  ) then
    perform private.raise_error(
      'invalid_amount', 'tokens_purchased and tokens_used must be from 0 to 9000000000000000'
    );
  end if;
  if new.low_balance_threshold not between 1 and 9000000000000000 then
    perform private.raise_error('invalid_amount', 'low_balance_threshold must be from 1 to 9000000000000000');
  end if;
  if tg_op = 'INSERT' then
    perform private.journal_edit(new.user_id, 'adjustment', 'purchased', new.tokens_purchased);
    perform private.journal_edit(new.user_id, 'adjustment', 'used', -new.tokens_used);
    return null;
  end if;

  if (old.user_id, old.tokens_reserved, old.holds_expire_at, old.journal_seq, old.journal_balance)
    is distinct from (new.user_id, new.tokens_reserved, new.holds_expire_at, new.journal_seq, new.journal_balance)
  then
    perform private.raise_error(
      'derived_column',
      'user_id, tokens_reserved, holds_expire_at, journal_seq and journal_balance follow from other rows',
      hint => 'Release or delete rows of token_holds, or edit tokens_purchased and tokens_used.'
    );
  end if;
  perform private.journal_edit(new.user_id, 'adjustment', 'purchased', new.tokens_purchased - old.tokens_purchased);
  perform private.journal_edit(new.user_id, 'adjustment', 'used', old.tokens_used - new.tokens_used);
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.notify_low_balance()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_data jsonb;
begin
  if tg_table_name = 'user_tokens' then
    if old.journal_balance < new.low_balance_threshold then
      return null;
    end if;
    v_data := jsonb_build_object(
      'balance', 'tokens', 'have', new.journal_balance, 'threshold', new.low_balance_threshold
    );
  elsif tg_table_name = 'usd_balances' then
    v_data := jsonb_build_object(
      'balance', 'usd', 'have', private.usd_text(new.balance),
      'threshold', private.usd_text(new.low_balance_threshold)
    );
  else
    v_data := jsonb_build_object(
      'balance', 'api_token', 'token_id', new.id, 'name', new.name, 'have', new.credits,
      'threshold', new.low_balance_threshold
    );
  end if;
  perform private.write_notice(new.user_id, 'balance.low', v_data);
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.notify_top_up_stopped()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.write_notice(
    new.user_id, 'auto_top_up.stopped', jsonb_build_object('reason', new.stopped_reason)
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.outbox_max_attempts()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$select 12$function$;

CREATE OR REPLACE FUNCTION private.parse_refill_amount(mode text, amount text)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_amount numeric;
begin
  if mode = 'usd' then
    if amount ~ '^[0-9]{1,10}(\.[0-9]{1,6})?$' then
      v_amount := amount::numeric;
    end if;
    if (v_amount > 0 and v_amount <= 1000000000) is not true then
      perform private.raise_error(
        'invalid_request',
        format(
          'amount must be US dollars from 0.000001 to 1000000000, with at most 6 decimals, got %s',
          coalesce(left(amount, 40), 'nothing')
        )
      );
    end if;
  elsif mode = 'credits' then
    if amount ~ '^[0-9]{1,16}$' then
      v_amount := amount::numeric;
    end if;
    if (v_amount between 1 and 9000000000000000) is not true then
      perform private.raise_error(
        'invalid_request',
        format(
          'amount must be a whole number of credits from 1 to 9000000000000000, got %s',
          coalesce(left(amount, 40), 'nothing')
        )
      );
    end if;
  else
    perform private.raise_error(
      'invalid_request', format('mode must be usd or credits, got %s', coalesce(left(mode, 40), 'nothing'))
    );
  end if;
  return v_amount;
end;
$function$;

CREATE OR REPLACE FUNCTION private.parse_threshold(balance text, threshold text)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_threshold numeric;
begin
  if threshold is null then
    return null;
  elsif threshold ~ (case balance when 'usd' then '^[0-9]{1,10}(\.[0-9]{1,6})?$' else '^[0-9]{1,16}$' end) then
    v_threshold := threshold::numeric;
  end if;
  if (v_threshold > 0 and v_threshold <= (case balance when 'usd' then 9000000000 else 9000000000000000 end))
    is not true
  then
    perform private.raise_error('invalid_request', format(
      'threshold must be %s, got %s',
      case balance
        when 'usd' then 'US dollars from 0.000001 to 9000000000, with at most 6 decimals'
        when 'tokens' then 'a whole number of tokens from 1 to 9000000000000000'
        else 'a whole number of credits from 1 to 9000000000000000'
      end,
      left(threshold, 40)
    ));
  end if;
  return v_threshold;
end;
$function$;

CREATE OR REPLACE FUNCTION private.post_refill(paid public.usd_transactions, token_id uuid, mode public.refill_mode, credits_added bigint, fee numeric, rate numeric)
 RETURNS public.refill_transactions
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_token public.api_tokens;
  v_refill public.refill_transactions;
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set credits = t.credits + post_refill.credits_added, version = t.version + 1
  where t.user_id = paid.user_id and t.id = post_refill.token_id
  returning t.* into v_token;
  with refilled as (
    insert into public.refill_transactions as r (
      user_id, id, token_id, version, mode, credits_added, usd_spent, fee, rate, credits_after, usd_balance_after,
      product_id, operation_id
    )
    values (
      paid.user_id, gen_random_uuid(), v_token.id, v_token.version, mode, credits_added, -paid.amount, fee, rate,
      v_token.credits, paid.balance_after, v_token.product_id, paid.operation_id
    )
    returning r.*
  ),
  journalled as (
    insert into public.api_token_transactions (
      user_id, token_id, version, type, amount, credits_after, reference, actor
    )
    select r.user_id, r.token_id, r.version, 'refill', r.credits_added, r.credits_after, r.id::text, paid.actor
    from refilled r
  )
  select r.* into v_refill from refilled r;
  perform set_config('scrip.posting', '', true);

  perform private.tell_hub(
    v_token,
    'refilled',
    jsonb_build_object(
      'refill_id', v_refill.id,
      'mode', mode,
      'credits_added', credits_added,
      'usd_spent', private.usd_text(v_refill.usd_spent),
      'fee', private.usd_text(fee),
      'rate', private.usd_text(rate)
    )
  );
  return v_refill;
end;
$function$;

CREATE OR REPLACE FUNCTION private.raise_api_token_not_found(token_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'api_token_not_found', format('There is no API token %s', coalesce(token_id::text, 'without an id'))
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.raise_api_token_revoked(token_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error('api_token_revoked', format('The API token %s is revoked', token_id));
end;
$function$;

CREATE OR REPLACE FUNCTION private.refill_quote(user_id uuid, token_id uuid, mode text, amount numeric)
 RETURNS TABLE(rate numeric, fee numeric, credits_added numeric, usd_spent numeric, credits numeric, usd_balance numeric)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_kind public.api_token_kind;
  v_status public.api_token_status;
  v_product_id uuid;
  v_have numeric;
  v_need numeric;
  v_digits integer;
begin
  select
    t.kind, t.status, t.credits, t.product_id,
    case t.kind when 'master' then coalesce(s.master_rate_usd, 0.001) else p.value_credits_usd end,
    coalesce(s.refill_fee_usd, 0.0001),
    coalesce(b.balance, 0)
  into v_kind, v_status, credits, v_product_id, rate, fee, v_have
  from public.api_tokens t
  left join public.products p on p.id = t.product_id and p.active
  left join public.settings s on true
  left join public.usd_balances b on b.user_id = t.user_id
  where t.user_id = refill_quote.user_id and t.id = refill_quote.token_id;
  if not found then
    perform private.raise_api_token_not_found(token_id);
  elsif v_status = 'revoked' then
    perform private.raise_api_token_revoked(token_id);
  elsif mode = 'credits' and v_kind = 'master' then
    perform private.raise_error(
      'invalid_request', 'A master token is refilled by US dollars: mode must be usd, got credits'
    );
  elsif rate is null then
    perform private.raise_error(
      'product_unavailable', format('The product %s is not on offer, or has no rate', v_product_id)
    );
  end if;

  if mode = 'usd' then
    usd_spent := amount;
    credits_added := div(amount - fee, rate);
    if credits_added < 1 then
      v_need := ceil((fee + rate) * 1000000) / 1000000; -- what can be asked for
      v_digits := greatest(min_scale(v_need), min_scale(amount), 2);
      perform private.raise_error(
        'refill_too_small',
        format(
          'Cannot refill: the token needs at least $%s, got $%s', round(v_need, v_digits), round(amount, v_digits)
        )
      );
    end if;
  else
    credits_added := amount;
    usd_spent := amount * rate + fee;
  end if;

  credits := credits + credits_added;
  if credits > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded', format('The token would hold %s credits, and may hold 9000000000000000', credits)
    );
  end if;
  usd_balance := v_have - usd_spent;
  if usd_balance < 0 then
    perform private.raise_error(
      'insufficient_usd',
      format('Insufficient USD balance: you have $%s, need $%s', private.usd_text(v_have), private.usd_text(usd_spent))
    );
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION private.refuse_journal_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on the journal is refused: it is append-only', initcap(tg_op)),
    hint => 'Correct a balance with an operation, or by editing the row that has it, such as user_tokens: either is journalled.'
  );
  return null;
end;
$function$;

CREATE OR REPLACE FUNCTION private.save_hub_id(token_id uuid, hub_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set hub_id = save_hub_id.hub_id
  where t.id = save_hub_id.token_id and t.hub_id is null;
  perform set_config('scrip.posting', '', true);
end;
$function$;

CREATE OR REPLACE FUNCTION private.schedule_jobs()
 RETURNS SETOF text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_job text;
  v_route text;
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
    execute $job$
      select cron.schedule('scrip-prune-outbox', '17 3 * * *', 'select public.prune_outbox()')
    $job$;
    return next 'scrip-prune-outbox';
    if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_net') then
      for v_job, v_route in
        values ('scrip-auto-top-up', 'auto-top-up/run'), ('scrip-hub-sync', 'hub-sync')
      loop
        execute $job$select cron.schedule($1, '* * * * *', $2)$job$ using v_job, format($call$
          select net.http_post(
            url := url.decrypted_secret || '/functions/v1/%s',
            headers := jsonb_build_object('apikey', key.decrypted_secret),
            timeout_milliseconds := 60000
          )
          from vault.decrypted_secrets url
          join vault.decrypted_secrets key on key.name = 'scrip_secret_key'
          where url.name = 'scrip_url'
        $call$, v_route);
        return next v_job;
      end loop;
    end if;
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION private.tell_hub(token public.api_tokens, event text, refill jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_id uuid := gen_random_uuid();
begin
  perform private.write_outbox(
    'hub',
    token.id,
    'api_token.' || event,
    jsonb_strip_nulls(jsonb_build_object(
      'id', v_id,
      'event', 'api_token.' || event,
      'occurred_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'refill', refill
    )) || jsonb_build_object(
      'token', jsonb_build_object(
        'id', token.id,
        'user_id', token.user_id,
        'kind', token.kind,
        'product_id', token.product_id,
        'name', token.name,
        'status', token.status,
        'hub_id', token.hub_id,
        'credits', token.credits,
        'version', token.version
      )
    ),
    v_id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.verify_api_tokens()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with journal as (
    select
      t.*,
      lag(t.credits_after, 1, 0::bigint) over (partition by t.user_id, t.token_id order by t.version) + t.amount
        as expected_credits
    from public.api_token_transactions t
  ),
  sums as (
    select j.user_id, j.token_id, sum(j.amount) as credits, max(j.version) as version
    from journal j
    group by j.user_id, j.token_id
  )
  select
    j.user_id, format('credits_after of token %s, version %s', j.token_id, j.version), j.expected_credits,
    j.credits_after
  from journal j
  where j.credits_after <> j.expected_credits
  union all
  select
    coalesce(s.user_id, t.user_id), format('credits of token %s', coalesce(s.token_id, t.id)), coalesce(s.credits, 0),
    coalesce(t.credits, 0)
  from sums s
  full join public.api_tokens t on t.user_id = s.user_id and t.id = s.token_id
  where coalesce(s.credits, 0) <> coalesce(t.credits, 0)
  union all
  select t.user_id, format('version of token %s', t.id), s.version, t.version
  from public.api_tokens t
  join sums s on s.user_id = t.user_id and s.token_id = t.id
  where t.version < s.version
  union all
  select
    coalesce(r.user_id, j.user_id), format('refill %s and its credits', coalesce(r.id::text, j.reference)),
    r.credits_added, j.amount
  from public.refill_transactions r
  full join (select * from journal where type = 'refill') j
    on j.user_id = r.user_id and j.token_id = r.token_id and j.version = r.version
  where (j.amount = r.credits_added and j.credits_after = r.credits_after and j.reference = r.id::text) is not true
  union all
  select
    coalesce(r.user_id, u.user_id),
    format('refill %s and its US dollars', coalesce(r.operation_id, u.operation_id)), -r.usd_spent, u.amount
  from public.refill_transactions r
  full join (select * from public.usd_transactions where type = 'refill') u
    on u.user_id = r.user_id and u.operation_id = r.operation_id
  where (
    u.amount = -r.usd_spent and u.balance_after = r.usd_balance_after and u.reference = r.token_id::text
  ) is not true
  union all
  select
    r.user_id, format('formula of refill %s', r.id),
    case r.mode when 'usd' then div(r.usd_spent - r.fee, r.rate) else r.credits_added * r.rate + r.fee end,
    case r.mode when 'usd' then r.credits_added else r.usd_spent end
  from public.refill_transactions r
  where case r.mode
    when 'usd' then r.credits_added <> div(r.usd_spent - r.fee, r.rate)
    else r.usd_spent <> r.credits_added * r.rate + r.fee
  end
$function$;

CREATE OR REPLACE FUNCTION private.write_notice(user_id uuid, type public.notice_type, data jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_notice public.notices;
begin
  insert into public.notices as n (user_id, type, data)
  values (write_notice.user_id, write_notice.type, write_notice.data)
  returning n.* into v_notice;
  perform private.write_outbox(
    'webhook',
    v_notice.user_id,
    v_notice.type::text,
    jsonb_build_object(
      'type', v_notice.type,
      'timestamp', to_char(v_notice.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'data', jsonb_build_object('notice_id', v_notice.id, 'user_id', v_notice.user_id) || v_notice.data
    ),
    v_notice.id
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.write_outbox(destination text, subject uuid, event text, payload jsonb, id uuid DEFAULT gen_random_uuid())
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into private.outbox (id, destination, subject, event, payload)
  values (
    write_outbox.id, write_outbox.destination, write_outbox.subject, write_outbox.event, write_outbox.payload
  );
end;
$function$;

CREATE OR REPLACE FUNCTION public.claim_outbox(max_count integer, lease_seconds integer)
 RETURNS TABLE(id uuid, claim_id uuid, destination text, event text, payload jsonb, attempts integer, created_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_row record;
  v_first private.outbox;
  v_claimed integer := 0;
begin
  -- Statistics of a queue are often of when it was empty, and give plans that read all of it for each row.
  perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  for v_row in
    select o.id, o.destination, o.subject, o.claim_id
    from private.outbox o
    where o.status = 'pending' and o.due_at <= now()
    order by o.due_at, o.seq
    limit 10000 -- a run that put off a million would be stopped by the statement's timeout, and every other after it
  loop
    exit when v_claimed >= max_count;

    -- The subject's first is locked before any other is. Whoever holds it takes or ends it, and asks for the next then.
    select f.* into v_first
    from private.outbox f
    where f.id = (
      select e.id
      from private.outbox e
      where e.status = 'pending' and e.destination = v_row.destination and e.subject = v_row.subject
      order by e.seq
      limit 1
    )
    for update skip locked;
    continue when not found or v_first.status <> 'pending';

    if v_first.due_at > now() then
      update private.outbox o
      set due_at = v_first.due_at, claim_id = null
      where o.id = v_row.id and o.id <> v_first.id and o.finished_at is null
        and o.claim_id is not distinct from v_row.claim_id;
      continue;
    end if;

    if v_first.attempts >= private.outbox_max_attempts() then
      update private.outbox o
      set status = 'dead', finished_at = now(), claim_id = null, error = 'The worker did not come back'
      where o.id = v_first.id;
      continue;
    end if;

    v_claimed := v_claimed + 1;
    return query
      update private.outbox o
      set claim_id = gen_random_uuid(), attempts = o.attempts + 1, due_at = now() + make_interval(secs => lease_seconds)
      where o.id = v_first.id
      returning o.id, o.claim_id, o.destination, o.event, o.payload, o.attempts, o.created_at;
  end loop;
end;
$function$;

CREATE OR REPLACE FUNCTION public.consume_api_credits(api_key text, amount bigint, operation_id text, actor text DEFAULT NULL::text)
 RETURNS TABLE(token_id uuid, credits bigint, version bigint, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
  v_status public.api_token_status;
  v_same boolean;
  v_posting text;
begin
  if (amount between 1 and 9000000000000000) is not true then
    perform private.raise_error(
      'invalid_amount',
      format('credits must be a whole number from 1 to 9000000000000000, got %s', coalesce(amount::text, 'nothing'))
    );
  end if;
  select k.user_id, k.token_id into v_user_id, token_id
  from private.api_keys k
  where k.key_hash = private.hash_api_key(api_key);
  if not found then
    perform private.raise_error('api_token_not_found', 'There is no API token with this key');
  end if;
  if (length(operation_id) between 1 and 255 and not starts_with(operation_id, 'stripe:')) is not true then
    perform private.check_operation(v_user_id, operation_id);
  end if;
  perform pg_advisory_xact_lock(uuid_hash_extended(token_id, 0));

  select t.credits_after, t.version, t.type = 'consume' and t.amount = -consume_api_credits.amount
  into credits, version, v_same
  from public.api_token_transactions t
  where t.user_id = v_user_id and t.token_id = consume_api_credits.token_id
    and t.operation_id = consume_api_credits.operation_id;
  replayed := found;
  if replayed then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    return next;
    return;
  end if;

  v_posting := set_config('scrip.posting', 'on', true);
  loop
    with spent as (
      update public.api_tokens t
      set credits = t.credits - consume_api_credits.amount, version = t.version + 1
      where t.user_id = v_user_id and t.id = consume_api_credits.token_id
        and t.credits >= consume_api_credits.amount and t.status = 'active'
      returning t.credits, t.version
    )
    insert into public.api_token_transactions as t (
      user_id, token_id, version, type, amount, credits_after, operation_id, actor
    )
    select
      v_user_id, consume_api_credits.token_id, s.version, 'consume', -consume_api_credits.amount, s.credits,
      consume_api_credits.operation_id,
      coalesce(consume_api_credits.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.credits_after, t.version into credits, version;
    exit when found;

    select t.status, t.credits into v_status, credits
    from public.api_tokens t
    where t.user_id = v_user_id and t.id = consume_api_credits.token_id;
    if not found then -- deleted while this waited
      perform private.raise_error('api_token_not_found', 'There is no API token with this key');
    elsif v_status = 'revoked' then
      perform private.raise_api_token_revoked(token_id);
    elsif credits < amount then -- else it was refilled just now
      perform private.raise_error(
        'insufficient_credits', format('Insufficient credits: the token has %s, needs %s', credits, amount)
      );
    end if;
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.create_api_token(user_id uuid, kind text, name text, operation_id text, product_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(token_id uuid, api_key text, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_request jsonb := jsonb_build_object('kind', kind, 'product_id', product_id, 'name', name);
  v_first jsonb;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.check_api_token_name(name);
  if (kind = 'product' and product_id is not null or kind = 'master' and product_id is null) is not true then
    perform private.raise_error('invalid_request', 'kind must be product, with a product_id, or master, without one');
  end if;
  perform private.lock_account(user_id);

  select k.token_id, k.request into token_id, v_first
  from private.api_keys k
  where k.user_id = create_api_token.user_id and k.operation_id = create_api_token.operation_id;
  replayed := found;
  if replayed and v_first <> v_request then
    perform private.raise_operation_id_reused(operation_id);
  elsif not replayed then
    api_key := private.generate_api_key();
    token_id := private.add_api_token(user_id, kind::public.api_token_kind, product_id, name, right(api_key, 4));
    insert into private.api_keys (key_hash, user_id, token_id, operation_id, request)
    values (private.hash_api_key(api_key), user_id, token_id, operation_id, v_request);
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.finish_outbox(outbox_id uuid, claim_id uuid, outcome text, error text DEFAULT NULL::text, retry_after_seconds integer DEFAULT NULL::integer, hub_id text DEFAULT NULL::text)
 RETURNS TABLE(status text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_row private.outbox;
  v_status private.outbox_status;
begin
  if (outcome in ('delivered', 'failed', 'skipped')) is not true then
    perform private.raise_error(
      'invalid_request', format('outcome must be delivered, failed or skipped, got %s', coalesce(outcome, 'nothing'))
    );
  end if;

  -- The token's row before any of the outbox, as refills have it.
  if outcome = 'delivered' and length(hub_id) between 1 and 255 then
    perform private.save_hub_id(o.subject, finish_outbox.hub_id)
    from private.outbox o
    where o.id = outbox_id and o.claim_id = finish_outbox.claim_id and o.destination = 'hub';
  end if;

  select o.* into v_row
  from private.outbox o
  where o.id = outbox_id and o.claim_id = finish_outbox.claim_id
  for update;
  if not found then
    status := 'stale';
    return next;
    return;
  end if;

  v_status := case
    when outcome <> 'failed' then outcome::private.outbox_status
    when v_row.attempts >= private.outbox_max_attempts() then 'dead'
    else 'pending'
  end;
  update private.outbox o
  set
    status = v_status,
    attempts = case when outcome = 'skipped' then o.attempts - 1 else o.attempts end,
    due_at = case
      when v_status <> 'pending' then o.due_at
      else greatest(
        now() + interval '30 seconds' * power(2, o.attempts - 1) * (0.75 + random() / 2),
        now() + make_interval(secs => case when retry_after_seconds > 3600 then 3600 else retry_after_seconds end)
      )
    end,
    claim_id = null,
    error = case when outcome = 'failed' then left(finish_outbox.error, 500) end,
    finished_at = case when v_status <> 'pending' then now() end
  where o.id = v_row.id;

  if v_status <> 'pending' then
    -- As in claim_outbox, whatever the statistics say. Not one under way, which another worker has.
    perform set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
    update private.outbox o
    set due_at = now()
    where o.claim_id is null and o.due_at > now()
      and o.id = (
        select n.id
        from private.outbox n
        where n.status = 'pending' and n.destination = v_row.destination and n.subject = v_row.subject
          and n.seq > v_row.seq
        order by n.seq
        limit 1
      );
  end if;
  status := v_status;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.get_low_balance_thresholds(user_id uuid)
 RETURNS TABLE(balance text, token_id uuid, name text, have text, threshold text, low boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  (
    select
      'tokens', null::uuid, null::text, coalesce(u.journal_balance, 0)::text, u.low_balance_threshold::text,
      coalesce(u.journal_balance < u.low_balance_threshold, false)
    from (select 1) one
    left join public.user_tokens u on u.user_id = get_low_balance_thresholds.user_id
  )
  union all
  (
    select
      'usd', null, null, private.usd_text(coalesce(b.balance, 0)), private.usd_text(b.low_balance_threshold),
      coalesce(b.balance < b.low_balance_threshold, false)
    from (select 1) one
    left join public.usd_balances b on b.user_id = get_low_balance_thresholds.user_id
  )
  union all
  (
    select
      'api_token', t.id, t.name, t.credits::text, t.low_balance_threshold::text,
      coalesce(t.credits < t.low_balance_threshold, false)
    from public.api_tokens t
    where t.user_id = get_low_balance_thresholds.user_id and t.status = 'active'
    order by t.created_at desc, t.id desc
  )
$function$;

CREATE OR REPLACE FUNCTION public.list_api_tokens(user_id uuid, page_size integer DEFAULT 1, before_created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id uuid DEFAULT NULL::uuid, token_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(id uuid, kind text, product_id uuid, name text, status text, credits bigint, version bigint, hub_id text, key_hint text, created_at timestamp with time zone, revoked_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
  select
    t.id, t.kind::text, t.product_id, t.name, t.status::text, t.credits, t.version, t.hub_id, t.key_hint, t.created_at,
    t.revoked_at
  from public.api_tokens t
  where t.user_id = list_api_tokens.user_id
    and (list_api_tokens.token_id is null or t.id = list_api_tokens.token_id)
    and (before_created_at is null or (t.created_at, t.id) < (before_created_at, before_id))
  order by t.created_at desc, t.id desc
  limit page_size;
  if not found and token_id is not null then
    perform private.raise_api_token_not_found(token_id);
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION public.list_notices(user_id uuid, page_size integer, unread boolean DEFAULT NULL::boolean, before_created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(id uuid, type text, data jsonb, read_at timestamp with time zone, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select n.id, n.type::text, n.data, n.read_at, n.created_at
  from public.notices n
  where n.user_id = list_notices.user_id
    and (unread is null or (n.read_at is null) = unread)
    and (before_created_at is null or (n.created_at, n.id) < (before_created_at, before_id))
  order by n.created_at desc, n.id desc
  limit page_size
$function$;

CREATE OR REPLACE FUNCTION public.list_outbox(page_size integer, in_status text DEFAULT 'dead'::text, before_created_at timestamp with time zone DEFAULT NULL::timestamp with time zone, before_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(id uuid, destination text, event text, subject uuid, status text, attempts integer, error text, due_at timestamp with time zone, created_at timestamp with time zone, finished_at timestamp with time zone, payload jsonb)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_status private.outbox_status := in_status; -- as a constant of its type, it finds the index
begin
  return query
    select
      o.id, o.destination, o.event, o.subject, o.status::text, o.attempts, o.error, o.due_at, o.created_at,
      o.finished_at, o.payload
    from private.outbox o
    where o.status = v_status
      and (before_created_at is null or (o.created_at, o.id) < (before_created_at, before_id))
    order by o.created_at desc, o.id desc
    limit page_size;
end;
$function$;

CREATE OR REPLACE FUNCTION public.preview_refill(user_id uuid, token_id uuid, mode text, amount text)
 RETURNS TABLE(credits_added bigint, usd_spent text, fee text, rate text, credits bigint, usd_balance text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
  select
    q.credits_added::bigint, private.usd_text(q.usd_spent), private.usd_text(q.fee), private.usd_text(q.rate),
    q.credits::bigint, private.usd_text(q.usd_balance)
  from private.refill_quote(
    preview_refill.user_id, preview_refill.token_id, preview_refill.mode,
    private.parse_refill_amount(preview_refill.mode, preview_refill.amount)
  ) q;
end;
$function$;

CREATE OR REPLACE FUNCTION public.prune_outbox(keep_days integer DEFAULT 30, max_rows integer DEFAULT 10000)
 RETURNS TABLE(deleted bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  delete from private.outbox o
  where o.id in (
    select d.id
    from private.outbox d
    where d.status in ('delivered', 'skipped') and d.finished_at < now() - make_interval(days => keep_days)
    order by d.finished_at
    limit max_rows
    for update skip locked
  );
  get diagnostics deleted = row_count;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.read_notice(user_id uuid, notice_id uuid)
 RETURNS TABLE(id uuid, read_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update public.notices n
  set read_at = coalesce(n.read_at, now())
  where n.user_id = read_notice.user_id and n.id = notice_id
  returning n.id, n.read_at into id, read_at;
  if not found then
    perform private.raise_error('notice_not_found', format('There is no notice %s', notice_id));
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.refill_token(user_id uuid, token_id uuid, mode text, amount text, operation_id text, actor text DEFAULT NULL::text)
 RETURNS TABLE(refill_id uuid, credits_added bigint, usd_spent text, fee text, rate text, credits bigint, usd_balance text, replayed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_amount numeric := private.parse_refill_amount(mode, amount);
  v_request jsonb := jsonb_build_object('mode', mode, 'amount', trim_scale(v_amount)::text);
  v_paid public.usd_transactions;
  v_refill public.refill_transactions;
  v_quote record;
begin
  v_paid := private.claim_usd_operation(user_id, operation_id, 'refill', null, token_id::text, null, v_request);
  replayed := v_paid.id is not null;
  if replayed then
    select r.* into v_refill
    from public.refill_transactions r
    where r.user_id = refill_token.user_id and r.operation_id = refill_token.operation_id;
  else
    perform from public.api_tokens t
    where t.user_id = refill_token.user_id and t.id = refill_token.token_id
    for no key update;
    perform from public.usd_balances b where b.user_id = refill_token.user_id for no key update;
    select q.* into v_quote from private.refill_quote(user_id, token_id, mode, v_amount) q;
    v_paid := private.post_usd(
      user_id, 'refill', -v_quote.usd_spent, operation_id, token_id::text, null, v_request, actor
    );
    v_refill := private.post_refill(
      v_paid, token_id, mode::public.refill_mode, v_quote.credits_added::bigint, v_quote.fee, v_quote.rate
    );
  end if;

  refill_id := v_refill.id;
  credits_added := v_refill.credits_added;
  usd_spent := private.usd_text(v_refill.usd_spent);
  fee := private.usd_text(v_refill.fee);
  rate := private.usd_text(v_refill.rate);
  credits := v_refill.credits_after;
  usd_balance := private.usd_text(v_refill.usd_balance_after);
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.rename_api_token(user_id uuid, token_id uuid, name text)
 RETURNS TABLE(renamed boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_token public.api_tokens;
begin
  perform private.check_api_token_name(name);
  select t.* into v_token
  from public.api_tokens t
  where t.user_id = rename_api_token.user_id and t.id = rename_api_token.token_id
  for no key update;
  if not found then
    perform private.raise_api_token_not_found(token_id);
  end if;
  renamed := v_token.name <> rename_api_token.name;
  if renamed then
    perform set_config('scrip.posting', 'on', true);
    update public.api_tokens t
    set name = rename_api_token.name, version = t.version + 1
    where t.user_id = v_token.user_id and t.id = v_token.id
    returning t.* into v_token;
    perform set_config('scrip.posting', '', true);
    perform private.tell_hub(v_token, 'updated');
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.replay_outbox(outbox_id uuid)
 RETURNS TABLE(id uuid, status text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
    update private.outbox o
    set
      status = 'pending',
      attempts = case when o.status = 'pending' then o.attempts else 0 end,
      due_at = case when o.claim_id is null then now() else o.due_at end,
      finished_at = null
    where o.id = outbox_id
    returning o.id, o.status::text;
  if not found then
    perform private.raise_error('delivery_not_found', format('There is no delivery %s', outbox_id));
  end if;
end;
$function$;

CREATE OR REPLACE FUNCTION public.replay_outbox_all(status text, destination text DEFAULT NULL::text, max_count integer DEFAULT 1000)
 RETURNS TABLE(replayed bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_status private.outbox_status := replay_outbox_all.status;
begin
  update private.outbox o
  set
    status = 'pending',
    attempts = case when o.status = 'pending' then o.attempts else 0 end,
    due_at = now(),
    finished_at = null
  where o.id in (
    select d.id
    from private.outbox d
    where d.status = v_status
      and (replay_outbox_all.destination is null or d.destination = replay_outbox_all.destination)
      and (v_status <> 'pending' or (d.claim_id is null and d.due_at > now()))
    order by d.finished_at, d.seq
    limit max_count
    for update skip locked
  );
  get diagnostics replayed = row_count;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.revoke_api_token(user_id uuid, token_id uuid)
 RETURNS TABLE(revoked boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_token public.api_tokens;
begin
  perform set_config('scrip.posting', 'on', true);
  update public.api_tokens t
  set status = 'revoked', revoked_at = now(), version = t.version + 1
  where t.user_id = revoke_api_token.user_id and t.id = revoke_api_token.token_id and t.status = 'active'
  returning t.* into v_token;
  revoked := found;
  perform set_config('scrip.posting', '', true);
  if revoked then
    perform private.tell_hub(v_token, 'revoked');
  elsif not exists (
    select 1 from public.api_tokens t
    where t.user_id = revoke_api_token.user_id and t.id = revoke_api_token.token_id
  ) then
    perform private.raise_api_token_not_found(token_id);
  end if;
  return next;
end;
$function$;

CREATE OR REPLACE FUNCTION public.set_low_balance_threshold(user_id uuid, balance text, threshold text DEFAULT NULL::text, token_id uuid DEFAULT NULL::uuid)
 RETURNS TABLE(saved boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_threshold numeric;
  v_status public.api_token_status;
begin
  if (balance in ('tokens', 'usd', 'api_token')) is not true then
    perform private.raise_error('invalid_request', format(
      'balance must be tokens, usd or api_token, got %s', coalesce(left(balance, 40), 'nothing')
    ));
  elsif (balance = 'api_token') <> (token_id is not null) then
    perform private.raise_error('invalid_request', 'token_id must be given for an API token, and for nothing else');
  end if;
  v_threshold := private.parse_threshold(balance, threshold);
  perform private.lock_account(user_id);

  perform set_config('scrip.posting', 'on', true);
  if balance = 'tokens' then
    update public.user_tokens u
    set low_balance_threshold = v_threshold::bigint
    where u.user_id = set_low_balance_threshold.user_id;
    if not found then
      perform private.raise_user_not_found(user_id);
    end if;
  elsif balance = 'usd' then
    begin
      insert into public.usd_balances (user_id, low_balance_threshold)
      values (set_low_balance_threshold.user_id, v_threshold)
      on conflict on constraint usd_balances_pkey do update
      set low_balance_threshold = excluded.low_balance_threshold;
    exception
      when foreign_key_violation then
        perform private.raise_user_not_found(user_id);
    end;
  else
    update public.api_tokens t
    set low_balance_threshold = v_threshold::bigint
    where t.user_id = set_low_balance_threshold.user_id and t.id = token_id
    returning t.status into v_status;
    if not found then
      perform private.raise_api_token_not_found(token_id);
    elsif v_status = 'revoked' then
      perform private.raise_api_token_revoked(token_id);
    end if;
  end if;
  perform set_config('scrip.posting', '', true);
  return query select true;
end;
$function$;

CREATE OR REPLACE FUNCTION public.verify_ledger()
 RETURNS TABLE(user_id uuid, problem text, expected numeric, actual numeric)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with journal as (
    select
      t.*,
      lag(t.seq, 1, 0::bigint) over in_order + 1 as expected_seq,
      lag(t.balance_after, 1, 0::bigint) over in_order + t.amount as expected_balance
    from public.token_transactions t
    window in_order as (partition by t.user_id order by t.seq)
  ),
  sums as (
    select j.user_id, j.account, sum(j.amount) as amount from journal j group by j.user_id, j.account
  ),
  columns as (
    select u.user_id, 'purchased'::public.token_account as account, u.tokens_purchased::numeric as amount
    from public.user_tokens u
    union all
    select u.user_id, 'used', -u.tokens_used from public.user_tokens u
    union all
    select s.user_id, 'earned', s.earned_tokens from public.subscribers s where s.user_id is not null
    union all
    select s.user_id, 'admin_bonus', s.admin_bonus_tokens from public.subscribers s where s.user_id is not null
    union all
    select r.user_id, 'approved_requests', sum(r.amount)
    from public.token_requests r
    where r.status = 'approved'
    group by r.user_id
  ),
  holds as (
    select h.user_id, sum(h.amount) as amount, min(h.expires_at) as expires_at
    from public.token_holds h
    where h.status = 'active'
    group by h.user_id
  ),
  refunds as (
    select r.user_id, r.reference, sum(r.amount) as amount
    from public.token_transactions r
    where r.type = 'refund'
    group by r.user_id, r.reference
  )
  select j.user_id, 'seq has a gap', j.expected_seq, j.seq
  from journal j
  where j.seq <> j.expected_seq
  union all
  select j.user_id, format('balance_after of seq %s', j.seq), j.expected_balance, j.balance_after
  from journal j
  where j.balance_after <> j.expected_balance
  union all
  select
    coalesce(s.user_id, c.user_id),
    format('journal of %s', coalesce(s.account, c.account)),
    coalesce(c.amount, 0),
    coalesce(s.amount, 0)
  from sums s
  full join columns c on c.user_id = s.user_id and c.account = s.account
  where coalesce(s.amount, 0) <> coalesce(c.amount, 0)
  union all
  select u.user_id, 'journal_seq', coalesce(max(j.seq), 0), u.journal_seq
  from public.user_tokens u
  left join journal j on j.user_id = u.user_id
  group by u.user_id
  having u.journal_seq <> coalesce(max(j.seq), 0)
  union all
  select u.user_id, 'journal_balance', coalesce(sum(s.amount), 0), u.journal_balance
  from public.user_tokens u
  left join sums s on s.user_id = u.user_id
  group by u.user_id
  having u.journal_balance <> coalesce(sum(s.amount), 0)
  union all
  select u.user_id, 'tokens_reserved', coalesce(h.amount, 0), u.tokens_reserved
  from public.user_tokens u
  left join holds h on h.user_id = u.user_id
  where u.tokens_reserved <> coalesce(h.amount, 0)
  union all
  select u.user_id, 'holds_expire_at', extract(epoch from h.expires_at), extract(epoch from u.holds_expire_at)
  from public.user_tokens u
  join holds h on h.user_id = u.user_id
  where u.holds_expire_at > h.expires_at
  union all
  select h.user_id, format('hold %s and its charge', h.operation_id), h.settled_amount, -t.amount
  from public.token_holds h
  left join public.token_transactions t
    on t.user_id = h.user_id and t.operation_id = h.operation_id and t.type = 'charge'
  where case h.status
    when 'settled' then t.amount is null or -t.amount <> h.settled_amount
    else t.amount is not null
  end
  union all
  select r.user_id, format('refunds of %s', r.reference), -t.amount, r.amount
  from refunds r
  left join public.token_transactions t
    on t.user_id = r.user_id and t.operation_id = r.reference and t.type = 'charge'
  where t.amount is null or r.amount > -t.amount
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_usd_ledger() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_purchases() v
  union all
  select v.user_id, v.problem, v.expected, v.actual from private.verify_api_tokens() v
$function$;

ALTER TABLE "private"."api_keys" ADD CONSTRAINT "api_keys_token_fkey" FOREIGN KEY (user_id, token_id) REFERENCES public.api_tokens(user_id, id) ON DELETE CASCADE;

ALTER TABLE "public"."api_tokens" ADD CONSTRAINT "api_tokens_user_id_fkey" FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE "public"."api_tokens" ADD CONSTRAINT "api_tokens_product_id_fkey" FOREIGN KEY (product_id) REFERENCES public.products(id) ON DELETE RESTRICT;

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_master_rate_usd_check" CHECK (((master_rate_usd > (0)::numeric) AND (master_rate_usd <= (1000000000)::numeric)));

ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_refill_fee_usd_check" CHECK (((refill_fee_usd >= (0)::numeric) AND (refill_fee_usd <= (1000)::numeric)));

ALTER TABLE "public"."usd_balances" ADD CONSTRAINT "usd_balances_low_balance_threshold_check" CHECK (((low_balance_threshold > (0)::numeric) AND (low_balance_threshold <= ('9000000000'::bigint)::numeric)));

CREATE INDEX api_keys_token_idx ON private.api_keys USING btree (user_id, token_id);

CREATE INDEX outbox_dead_idx ON private.outbox USING btree (created_at, id) WHERE (status = 'dead'::private.outbox_status);

CREATE INDEX outbox_due_idx ON private.outbox USING btree (due_at, seq) WHERE (status = 'pending'::private.outbox_status);

CREATE INDEX outbox_finished_idx ON private.outbox USING btree (finished_at) WHERE (status = ANY (ARRAY['delivered'::private.outbox_status, 'skipped'::private.outbox_status]));

CREATE INDEX outbox_subject_idx ON private.outbox USING btree (destination, subject, seq) WHERE (status = 'pending'::private.outbox_status);

CREATE INDEX api_tokens_created_at_idx ON public.api_tokens USING btree (user_id, created_at, id);

CREATE INDEX api_tokens_id_idx ON public.api_tokens USING btree (id);

CREATE INDEX api_tokens_product_id_idx ON public.api_tokens USING btree (product_id);

CREATE INDEX notices_created_at_idx ON public.notices USING btree (user_id, created_at, id);

CREATE INDEX notices_token_id_idx ON public.notices USING btree (user_id, ((data ->> 'token_id'::text)));

CREATE TRIGGER scrip_delete_notices AFTER DELETE ON auth.users FOR EACH ROW EXECUTE FUNCTION private.delete_notices();

CREATE TRIGGER api_token_transactions_append_only BEFORE DELETE OR UPDATE ON public.api_token_transactions FOR EACH ROW EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."api_token_transactions" ENABLE ALWAYS TRIGGER "api_token_transactions_append_only";

CREATE TRIGGER api_token_transactions_insert_guard BEFORE INSERT ON public.api_token_transactions FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_journal_change();

CREATE TRIGGER api_token_transactions_no_truncate BEFORE TRUNCATE ON public.api_token_transactions FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."api_token_transactions" ENABLE ALWAYS TRIGGER "api_token_transactions_no_truncate";

CREATE TRIGGER api_tokens_adopt_journal BEFORE INSERT ON public.api_tokens FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.adopt_api_token_journal();

CREATE TRIGGER api_tokens_journal AFTER INSERT OR DELETE OR UPDATE ON public.api_tokens FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.journal_api_token();

CREATE TRIGGER api_tokens_low_balance AFTER UPDATE OF credits ON public.api_tokens FOR EACH ROW WHEN (((new.credits < new.low_balance_threshold) AND (old.credits >= new.low_balance_threshold))) EXECUTE FUNCTION private.notify_low_balance();

CREATE TRIGGER api_tokens_no_truncate BEFORE TRUNCATE ON public.api_tokens FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_truncate();

CREATE TRIGGER auto_top_ups_stopped AFTER UPDATE OF enabled ON public.auto_top_ups FOR EACH ROW WHEN ((old.enabled AND (NOT new.enabled) AND (new.stopped_reason IS NOT NULL))) EXECUTE FUNCTION private.notify_top_up_stopped();

CREATE TRIGGER refill_transactions_append_only BEFORE DELETE OR UPDATE ON public.refill_transactions FOR EACH ROW EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."refill_transactions" ENABLE ALWAYS TRIGGER "refill_transactions_append_only";

CREATE TRIGGER refill_transactions_insert_guard BEFORE INSERT ON public.refill_transactions FOR EACH ROW WHEN ((current_setting('scrip.posting'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION private.refuse_journal_change();

CREATE TRIGGER refill_transactions_no_truncate BEFORE TRUNCATE ON public.refill_transactions FOR EACH STATEMENT EXECUTE FUNCTION private.refuse_journal_change();

ALTER TABLE "public"."refill_transactions" ENABLE ALWAYS TRIGGER "refill_transactions_no_truncate";

CREATE TRIGGER usd_balances_low_balance AFTER UPDATE OF balance ON public.usd_balances FOR EACH ROW WHEN (((new.balance < new.low_balance_threshold) AND (old.balance >= new.low_balance_threshold))) EXECUTE FUNCTION private.notify_low_balance();

CREATE TRIGGER user_tokens_low_balance AFTER UPDATE OF journal_balance ON public.user_tokens FOR EACH ROW WHEN ((new.journal_balance < new.low_balance_threshold)) EXECUTE FUNCTION private.notify_low_balance();

CREATE POLICY "Users read the journals of their own API tokens" ON "public"."api_token_transactions" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Users read their own API tokens" ON "public"."api_tokens" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Users read their own notices" ON "public"."notices" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

CREATE POLICY "Everyone reads the products on offer" ON "public"."products" FOR SELECT TO "anon", "authenticated" USING (active);

CREATE POLICY "Users read their own refills" ON "public"."refill_transactions" FOR SELECT TO "authenticated" USING ((( SELECT auth.uid() AS uid) = user_id));

COMMENT ON COLUMN "private"."api_keys"."key_hash" IS 'SHA-256 of the key.';

COMMENT ON COLUMN "private"."api_keys"."operation_id" IS 'The owner''s idempotency key of its creation.';

COMMENT ON COLUMN "private"."api_keys"."request" IS 'What was asked for then: kind, product_id, name.';

COMMENT ON COLUMN "private"."api_keys"."token_id" IS 'The token.';

COMMENT ON COLUMN "private"."api_keys"."user_id" IS 'Whose token it opens.';

COMMENT ON COLUMN "private"."outbox"."attempts" IS 'How often a worker has taken it.';

COMMENT ON COLUMN "private"."outbox"."claim_id" IS 'The attempt that is under way; null when none is.';

COMMENT ON COLUMN "private"."outbox"."created_at" IS 'When it was written.';

COMMENT ON COLUMN "private"."outbox"."destination" IS 'hub, or webhook (the operator''s, for notices).';

COMMENT ON COLUMN "private"."outbox"."due_at" IS 'When it may be taken, or taken again.';

COMMENT ON COLUMN "private"."outbox"."error" IS 'Why the last attempt failed.';

COMMENT ON COLUMN "private"."outbox"."event" IS 'What happened, such as api_token.refilled.';

COMMENT ON COLUMN "private"."outbox"."finished_at" IS 'When it was delivered, skipped or given up.';

COMMENT ON COLUMN "private"."outbox"."id" IS 'What receivers know it by, however often it comes: Idempotency-Key, webhook-id.';

COMMENT ON COLUMN "private"."outbox"."payload" IS 'The body, the same in every attempt.';

COMMENT ON COLUMN "private"."outbox"."seq" IS 'The order of writing.';

COMMENT ON COLUMN "private"."outbox"."status" IS 'pending until it is delivered, skipped (nothing is configured) or dead (given up).';

COMMENT ON COLUMN "private"."outbox"."subject" IS 'Whose order is kept: the API token, or the user whom a notice is for.';

COMMENT ON COLUMN "public"."api_token_transactions"."actor" IS 'Who did it: the user''s id that the caller named, else the database role.';

COMMENT ON COLUMN "public"."api_token_transactions"."amount" IS 'Credits given (positive) or spent (negative); 0 when a token without credits was deleted.';

COMMENT ON COLUMN "public"."api_token_transactions"."created_at" IS 'When.';

COMMENT ON COLUMN "public"."api_token_transactions"."credits_after" IS 'The sum of the token''s amounts up to this row.';

COMMENT ON COLUMN "public"."api_token_transactions"."id" IS 'The transaction.';

COMMENT ON COLUMN "public"."api_token_transactions"."operation_id" IS 'The consumer''s idempotency key; null for refills, which have their own, and edits by hand.';

COMMENT ON COLUMN "public"."api_token_transactions"."reference" IS 'The refill.';

COMMENT ON COLUMN "public"."api_token_transactions"."token_id" IS 'The token.';

COMMENT ON COLUMN "public"."api_token_transactions"."type" IS 'Why the credits changed.';

COMMENT ON COLUMN "public"."api_token_transactions"."user_id" IS 'Whose token it is.';

COMMENT ON COLUMN "public"."api_token_transactions"."version" IS 'The token''s version since this change; changes of other columns leave gaps.';

COMMENT ON COLUMN "public"."api_tokens"."created_at" IS 'When it was created.';

COMMENT ON COLUMN "public"."api_tokens"."credits" IS 'What it holds: refilled less consumed.';

COMMENT ON COLUMN "public"."api_tokens"."hub_id" IS 'What the HUB calls it, once the HUB has said so.';

COMMENT ON COLUMN "public"."api_tokens"."id" IS 'The token.';

COMMENT ON COLUMN "public"."api_tokens"."key_hint" IS 'The last four characters of its key; null for a token without a key.';

COMMENT ON COLUMN "public"."api_tokens"."kind" IS 'For one product, or for all.';

COMMENT ON COLUMN "public"."api_tokens"."low_balance_threshold" IS 'Its owner gets a notice when fewer credits than this are left; null for none.';

COMMENT ON COLUMN "public"."api_tokens"."name" IS 'The name that its owner gave it.';

COMMENT ON COLUMN "public"."api_tokens"."product_id" IS 'The product, for kind product.';

COMMENT ON COLUMN "public"."api_tokens"."revoked_at" IS 'When it was revoked.';

COMMENT ON COLUMN "public"."api_tokens"."status" IS 'A revoked token keeps its credits, and can be neither refilled nor spent.';

COMMENT ON COLUMN "public"."api_tokens"."user_id" IS 'Whose token it is.';

COMMENT ON COLUMN "public"."api_tokens"."version" IS 'Rises with every change that the HUB may hear of; kept by Scrip.';

COMMENT ON COLUMN "public"."notices"."created_at" IS 'When it happened.';

COMMENT ON COLUMN "public"."notices"."data" IS 'The particulars: for balance.low the balance, what it has and the threshold; for auto_top_up.stopped the reason.';

COMMENT ON COLUMN "public"."notices"."id" IS 'The notice; its webhook has the same id.';

COMMENT ON COLUMN "public"."notices"."read_at" IS 'When the user had read it; null if not yet.';

COMMENT ON COLUMN "public"."notices"."type" IS 'What it is about.';

COMMENT ON COLUMN "public"."notices"."user_id" IS 'Whom it tells.';

COMMENT ON COLUMN "public"."products"."active" IS 'Whether it is on offer: otherwise its tokens are neither created nor refilled.';

COMMENT ON COLUMN "public"."products"."created_at" IS 'When it was added.';

COMMENT ON COLUMN "public"."products"."description" IS 'What it is, for users.';

COMMENT ON COLUMN "public"."products"."id" IS 'The product.';

COMMENT ON COLUMN "public"."products"."name" IS 'Its name.';

COMMENT ON COLUMN "public"."products"."value_credits_usd" IS 'US dollars for one credit; without it, tokens of the product cannot be refilled.';

COMMENT ON COLUMN "public"."refill_transactions"."created_at" IS 'When.';

COMMENT ON COLUMN "public"."refill_transactions"."credits_added" IS 'Credits that the token got.';

COMMENT ON COLUMN "public"."refill_transactions"."credits_after" IS 'What the token held then.';

COMMENT ON COLUMN "public"."refill_transactions"."fee" IS 'US dollars of fee.';

COMMENT ON COLUMN "public"."refill_transactions"."id" IS 'The refill.';

COMMENT ON COLUMN "public"."refill_transactions"."mode" IS 'Whether US dollars or credits were asked for.';

COMMENT ON COLUMN "public"."refill_transactions"."operation_id" IS 'The user''s idempotency key.';

COMMENT ON COLUMN "public"."refill_transactions"."product_id" IS 'The product whose rate it was; null for the master rate.';

COMMENT ON COLUMN "public"."refill_transactions"."rate" IS 'US dollars for one credit.';

COMMENT ON COLUMN "public"."refill_transactions"."token_id" IS 'The token.';

COMMENT ON COLUMN "public"."refill_transactions"."usd_balance_after" IS 'US dollars that the user had left.';

COMMENT ON COLUMN "public"."refill_transactions"."usd_spent" IS 'US dollars taken, the fee in them.';

COMMENT ON COLUMN "public"."refill_transactions"."user_id" IS 'Who paid, and whose token it is.';

COMMENT ON COLUMN "public"."refill_transactions"."version" IS 'The token''s version since the refill.';

COMMENT ON COLUMN "public"."settings"."master_rate_usd" IS 'US dollars for one credit of a master token.';

COMMENT ON COLUMN "public"."settings"."refill_fee_usd" IS 'US dollars that each refill costs on top of its credits.';

COMMENT ON COLUMN "public"."usd_balances"."created_at" IS 'When the first posting or threshold made it.';

COMMENT ON COLUMN "public"."usd_balances"."low_balance_threshold" IS 'The user gets a notice when the balance falls below it; null for none.';

COMMENT ON COLUMN "public"."user_tokens"."low_balance_threshold" IS 'The user gets a notice when total less used falls below it; null for none.';

COMMENT ON FUNCTION "private"."add_api_token"(uuid, public.api_token_kind, uuid, text, text) IS 'Adds an API token, and tells the HUB.';

COMMENT ON FUNCTION "private"."adopt_api_token_journal"() IS 'Lets a new api_tokens row go on where the token''s journal ended.';

COMMENT ON FUNCTION "private"."check_api_token_name"(text) IS 'Refuses names that API tokens cannot have.';

COMMENT ON FUNCTION "private"."delete_notices"() IS 'Takes a deleted account''s notices away.';

COMMENT ON FUNCTION "private"."generate_api_key"() IS 'A random API key, with its checksum.';

COMMENT ON FUNCTION "private"."hash_api_key"(text) IS 'The hash under which an API key is stored.';

COMMENT ON FUNCTION "private"."journal_api_token"() IS 'Journals edits of api_tokens by hand, and tells the HUB.';

COMMENT ON FUNCTION "private"."notify_low_balance"() IS 'Writes the notice of a balance that fell below its threshold.';

COMMENT ON FUNCTION "private"."notify_top_up_stopped"() IS 'Writes the notice of an auto top-up that stopped by itself.';

COMMENT ON FUNCTION "private"."outbox_max_attempts"() IS 'After how many attempts a row of the outbox is given up.';

COMMENT ON FUNCTION "private"."parse_refill_amount"(text, text) IS 'Reads a refill''s amount, exactly or not at all.';

COMMENT ON FUNCTION "private"."parse_threshold"(text, text) IS 'Reads the threshold of a balance.';

COMMENT ON FUNCTION "private"."post_refill"(public.usd_transactions, uuid, public.refill_mode, bigint, numeric, numeric) IS 'Adds the credits that were paid for to a token, with their rows, and tells the HUB.';

COMMENT ON FUNCTION "private"."raise_api_token_not_found"(uuid) IS 'Says that the user has no such API token.';

COMMENT ON FUNCTION "private"."raise_api_token_revoked"(uuid) IS 'Says that the API token is revoked.';

COMMENT ON FUNCTION "private"."refill_quote"(uuid, uuid, text, numeric) IS 'What a refill comes to, or why it cannot be.';

COMMENT ON FUNCTION "private"."save_hub_id"(uuid, text) IS 'Keeps what the HUB calls a token.';

COMMENT ON FUNCTION "private"."tell_hub"(public.api_tokens, text, jsonb) IS 'Writes what the HUB is to hear of a token into the outbox.';

COMMENT ON FUNCTION "private"."verify_api_tokens"() IS 'A row for each disagreement among API tokens, refills and their journals; none when all is well.';

COMMENT ON FUNCTION "private"."write_notice"(uuid, public.notice_type, jsonb) IS 'Writes a notice for a user, and the webhook that tells the operator.';

COMMENT ON FUNCTION "private"."write_outbox"(text, uuid, text, jsonb, uuid) IS 'Writes what a destination is to be told into the outbox.';

COMMENT ON FUNCTION "public"."claim_outbox"(integer, integer) IS 'Hands out rows of the outbox that are due, to one worker each.';

COMMENT ON FUNCTION "public"."consume_api_credits"(text, bigint, text, text) IS 'Spends credits of the API token that a key opens, at most once per operation_id.';

COMMENT ON FUNCTION "public"."create_api_token"(uuid, text, text, text, uuid) IS 'Creates an API token and returns its key in clear, once.';

COMMENT ON FUNCTION "public"."finish_outbox"(uuid, uuid, text, text, integer, text) IS 'Ends an attempt to deliver a row of the outbox.';

COMMENT ON FUNCTION "public"."get_low_balance_thresholds"(uuid) IS 'At what balances a user wants a notice, and whether they are low.';

COMMENT ON FUNCTION "public"."list_api_tokens"(uuid, integer, timestamp with time zone, uuid, uuid) IS 'A user''s API tokens, newest first, or one of them.';

COMMENT ON FUNCTION "public"."list_notices"(uuid, integer, boolean, timestamp with time zone, uuid) IS 'A user''s notices, newest first.';

COMMENT ON FUNCTION "public"."list_outbox"(integer, text, timestamp with time zone, uuid) IS 'The rows of the outbox that are in one status, the last written first.';

COMMENT ON FUNCTION "public"."preview_refill"(uuid, uuid, text, text) IS 'What refill_token would answer; changes nothing.';

COMMENT ON FUNCTION "public"."prune_outbox"(integer, integer) IS 'Deletes what was delivered or skipped more than so many days ago.';

COMMENT ON FUNCTION "public"."read_notice"(uuid, uuid) IS 'Marks a notice as read.';

COMMENT ON FUNCTION "public"."refill_token"(uuid, uuid, text, text, text, text) IS 'Spends US dollars on credits of an API token, at most once per operation_id.';

COMMENT ON FUNCTION "public"."rename_api_token"(uuid, uuid, text) IS 'Gives an API token another name.';

COMMENT ON FUNCTION "public"."replay_outbox"(uuid) IS 'Has a row of the outbox delivered again.';

COMMENT ON FUNCTION "public"."replay_outbox_all"(text, text, integer) IS 'Has the rows of the outbox that are in one status delivered again.';

COMMENT ON FUNCTION "public"."revoke_api_token"(uuid, uuid) IS 'Revokes an API token.';

COMMENT ON FUNCTION "public"."set_low_balance_threshold"(uuid, text, text, uuid) IS 'Sets at what balance a user wants a notice.';

COMMENT ON TABLE "private"."api_keys" IS 'The keys of API tokens, as hashes.';

COMMENT ON TABLE "private"."outbox" IS 'What other systems are still to be told, and lately were.';

COMMENT ON TABLE "public"."api_token_transactions" IS 'The journal of credits: every change of what an API token holds, append-only.';

COMMENT ON TABLE "public"."api_tokens" IS 'API tokens and the credits they hold. Edits are journalled, and the HUB is told.';

COMMENT ON TABLE "public"."notices" IS 'What users are told: a low balance, auto top-up that stopped.';

COMMENT ON TABLE "public"."products" IS 'Products whose credits API tokens hold.';

COMMENT ON TABLE "public"."refill_transactions" IS 'Refills of API tokens, append-only.';

COMMENT ON TYPE "private"."outbox_status" IS 'What became of a row of the outbox: nothing yet, delivered, skipped for want of a destination, or given up.';

COMMENT ON TYPE "public"."api_token_kind" IS 'Whether an API token''s credits are of one product, at its rate, or of all, at the master rate.';

COMMENT ON TYPE "public"."api_token_status" IS 'Whether an API token can be refilled and spent.';

COMMENT ON TYPE "public"."api_token_transaction_type" IS 'Why a row of an API token''s journal was written.';

COMMENT ON TYPE "public"."notice_type" IS 'What a notice is about.';

COMMENT ON TYPE "public"."refill_mode" IS 'What a refill''s amount is: US dollars to spend, or credits to get.';

REVOKE ALL ON FUNCTION "private"."add_api_token"(uuid, public.api_token_kind, uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."add_api_token"(uuid, public.api_token_kind, uuid, text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."adopt_api_token_journal"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."adopt_api_token_journal"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."check_api_token_name"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."check_api_token_name"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."delete_notices"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."delete_notices"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."generate_api_key"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."generate_api_key"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."hash_api_key"(text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."hash_api_key"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."journal_api_token"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."journal_api_token"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."notify_low_balance"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."notify_low_balance"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."notify_top_up_stopped"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."notify_top_up_stopped"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."outbox_max_attempts"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."outbox_max_attempts"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."parse_refill_amount"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."parse_refill_amount"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."parse_threshold"(text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."parse_threshold"(text, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."post_refill"(public.usd_transactions, uuid, public.refill_mode, bigint, numeric, numeric) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."post_refill"(public.usd_transactions, uuid, public.refill_mode, bigint, numeric, numeric) TO "postgres";

REVOKE ALL ON FUNCTION "private"."raise_api_token_not_found"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."raise_api_token_not_found"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."raise_api_token_revoked"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."raise_api_token_revoked"(uuid) TO "postgres";

REVOKE ALL ON FUNCTION "private"."refill_quote"(uuid, uuid, text, numeric) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."refill_quote"(uuid, uuid, text, numeric) TO "postgres";

REVOKE ALL ON FUNCTION "private"."save_hub_id"(uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."save_hub_id"(uuid, text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."tell_hub"(public.api_tokens, text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."tell_hub"(public.api_tokens, text, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."verify_api_tokens"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."verify_api_tokens"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."write_notice"(uuid, public.notice_type, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."write_notice"(uuid, public.notice_type, jsonb) TO "postgres";

REVOKE ALL ON FUNCTION "private"."write_outbox"(text, uuid, text, jsonb, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "private"."write_outbox"(text, uuid, text, jsonb, uuid) TO "postgres";

REVOKE ALL ON FUNCTION "public"."claim_outbox"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."claim_outbox"(integer, integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."consume_api_credits"(text, bigint, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."consume_api_credits"(text, bigint, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."create_api_token"(uuid, text, text, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."create_api_token"(uuid, text, text, text, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."finish_outbox"(uuid, uuid, text, text, integer, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."finish_outbox"(uuid, uuid, text, text, integer, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."get_low_balance_thresholds"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."get_low_balance_thresholds"(uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_api_tokens"(uuid, integer, timestamp with time zone, uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_api_tokens"(uuid, integer, timestamp with time zone, uuid, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_notices"(uuid, integer, boolean, timestamp with time zone, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_notices"(uuid, integer, boolean, timestamp with time zone, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."list_outbox"(integer, text, timestamp with time zone, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_outbox"(integer, text, timestamp with time zone, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."preview_refill"(uuid, uuid, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."preview_refill"(uuid, uuid, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."prune_outbox"(integer, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."prune_outbox"(integer, integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."read_notice"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."read_notice"(uuid, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."refill_token"(uuid, uuid, text, text, text, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."refill_token"(uuid, uuid, text, text, text, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."rename_api_token"(uuid, uuid, text) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."rename_api_token"(uuid, uuid, text) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."replay_outbox"(uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."replay_outbox"(uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."replay_outbox_all"(text, text, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."replay_outbox_all"(text, text, integer) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."revoke_api_token"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."revoke_api_token"(uuid, uuid) TO "postgres", "service_role";

REVOKE ALL ON FUNCTION "public"."set_low_balance_threshold"(uuid, text, text, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."set_low_balance_threshold"(uuid, text, text, uuid) TO "postgres", "service_role";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."api_keys" TO "postgres";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "private"."outbox" TO "postgres";

REVOKE ALL ON TABLE "public"."api_token_transactions" FROM "authenticated";

GRANT SELECT ON TABLE "public"."api_token_transactions" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."api_token_transactions" TO "postgres";

REVOKE ALL ON TABLE "public"."api_token_transactions" FROM "service_role";

GRANT SELECT ON TABLE "public"."api_token_transactions" TO "service_role";

REVOKE ALL ON TABLE "public"."api_tokens" FROM "authenticated";

GRANT SELECT ON TABLE "public"."api_tokens" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."api_tokens" TO "postgres";

REVOKE ALL ON TABLE "public"."api_tokens" FROM "service_role";

GRANT SELECT ON TABLE "public"."api_tokens" TO "service_role";

REVOKE ALL ON TABLE "public"."notices" FROM "authenticated";

GRANT SELECT ON TABLE "public"."notices" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."notices" TO "postgres";

REVOKE ALL ON TABLE "public"."notices" FROM "service_role";

GRANT SELECT ON TABLE "public"."notices" TO "service_role";

REVOKE ALL ON TABLE "public"."products" FROM "anon";

GRANT SELECT ON TABLE "public"."products" TO "anon";

REVOKE ALL ON TABLE "public"."products" FROM "authenticated";

GRANT SELECT ON TABLE "public"."products" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."products" TO "postgres";

REVOKE ALL ON TABLE "public"."products" FROM "service_role";

GRANT SELECT ON TABLE "public"."products" TO "service_role";

REVOKE ALL ON TABLE "public"."refill_transactions" FROM "authenticated";

GRANT SELECT ON TABLE "public"."refill_transactions" TO "authenticated";

GRANT DELETE, INSERT, MAINTAIN, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE ON TABLE "public"."refill_transactions" TO "postgres";

REVOKE ALL ON TABLE "public"."refill_transactions" FROM "service_role";

GRANT SELECT ON TABLE "public"."refill_transactions" TO "service_role";

set local check_function_bodies = off;

REVOKE ALL ON FUNCTION "public"."claim_outbox"(integer, integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."claim_outbox"(integer, integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."consume_api_credits"(text, bigint, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."consume_api_credits"(text, bigint, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."create_api_token"(uuid, text, text, text, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."create_api_token"(uuid, text, text, text, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."finish_outbox"(uuid, uuid, text, text, integer, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."finish_outbox"(uuid, uuid, text, text, integer, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."get_low_balance_thresholds"(uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."get_low_balance_thresholds"(uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_api_tokens"(uuid, integer, timestamp with time zone, uuid, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_api_tokens"(uuid, integer, timestamp with time zone, uuid, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_notices"(uuid, integer, boolean, timestamp with time zone, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_notices"(uuid, integer, boolean, timestamp with time zone, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."list_outbox"(integer, text, timestamp with time zone, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."list_outbox"(integer, text, timestamp with time zone, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."preview_refill"(uuid, uuid, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."preview_refill"(uuid, uuid, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."prune_outbox"(integer, integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."prune_outbox"(integer, integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."read_notice"(uuid, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."read_notice"(uuid, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."refill_token"(uuid, uuid, text, text, text, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."refill_token"(uuid, uuid, text, text, text, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."rename_api_token"(uuid, uuid, text) FROM "anon";

REVOKE ALL ON FUNCTION "public"."rename_api_token"(uuid, uuid, text) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."replay_outbox"(uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."replay_outbox"(uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."replay_outbox_all"(text, text, integer) FROM "anon";

REVOKE ALL ON FUNCTION "public"."replay_outbox_all"(text, text, integer) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."revoke_api_token"(uuid, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."revoke_api_token"(uuid, uuid) FROM "authenticated";

REVOKE ALL ON FUNCTION "public"."set_low_balance_threshold"(uuid, text, text, uuid) FROM "anon";

REVOKE ALL ON FUNCTION "public"."set_low_balance_threshold"(uuid, text, text, uuid) FROM "authenticated";

REVOKE ALL ON TABLE "public"."api_token_transactions" FROM "anon";

REVOKE ALL ON TABLE "public"."api_tokens" FROM "anon";

REVOKE ALL ON TABLE "public"."notices" FROM "anon";

REVOKE ALL ON TABLE "public"."refill_transactions" FROM "anon";
