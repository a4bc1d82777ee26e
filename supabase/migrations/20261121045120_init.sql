-- Generated from sql/ by `npm run db:diff -- init`. Do not edit.

set check_function_bodies = off;

-- Codes that give tokens, stored hashed: whoever reads this table cannot activate one.

create table public.access_codes (
  id uuid not null default gen_random_uuid(),
  code_hash bytea not null,
  code_hint text not null,
  tokens_to_grant bigint not null,
  on_top boolean not null default false,
  max_uses integer not null default 1,
  uses integer not null default 0,
  email text,
  note text,
  expires_at timestamptz,
  revoked_at timestamptz,
  operation_id text not null,
  item integer not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  constraint access_codes_pkey primary key (id),
  constraint access_codes_code_hash_key unique (code_hash),
  constraint access_codes_operation_id_key unique (operation_id, item),
  constraint access_codes_tokens_to_grant_check check (tokens_to_grant between 0 and 9000000000000000),
  constraint access_codes_max_uses_check check (max_uses between 1 and 1000000000),
  constraint access_codes_uses_check check (uses between 0 and max_uses)
);

create index access_codes_created_idx on public.access_codes (created_at desc, id desc);

comment on table public.access_codes is 'Codes that give tokens when activated. Stored hashed; shown in clear once, at creation.';

comment on column public.access_codes.id is 'The code''s id.';

comment on column public.access_codes.code_hash is 'SHA-256 of the normalized code.';

comment on column public.access_codes.code_hint is 'The last four characters, to recognise it by.';

comment on column public.access_codes.tokens_to_grant is 'Tokens it gives. The first code of a user also moves the sign-up entitlement.';

comment on column public.access_codes.on_top is 'With a first code: add tokens_to_grant to the bonus instead of taking the greater of both.';

comment on column public.access_codes.max_uses is 'How many users may activate it.';

comment on column public.access_codes.uses is 'How many users have.';

comment on column public.access_codes.email is 'If set, only the user with this confirmed address may activate it.';

comment on column public.access_codes.note is 'What it is for.';

comment on column public.access_codes.expires_at is 'From then on it is refused; null for never.';

comment on column public.access_codes.revoked_at is 'When an admin revoked it; a revoked code is as if it did not exist.';

comment on column public.access_codes.operation_id is 'Idempotency key of the request that created it.';

comment on column public.access_codes.item is 'Its number within that request.';

comment on column public.access_codes.created_by is 'Who created it.';

comment on column public.access_codes.created_at is 'When.';

alter table public.access_codes enable row level security;

revoke all on table public.access_codes from public, anon, authenticated, service_role;

-- Activates a code for a user: at most once a user and code, never beyond its max_uses. The user's first code also
-- moves the sign-up entitlement: base + greatest(bonus, grant), or base + bonus + grant when the code is on_top.
--
-- Called by  functions/verify-and-activate-code
-- Returns    the tokens granted; or failure, the error of a wrong guess, which must be counted and so cannot be raised
-- Raises     invalid_request, user_not_found, forbidden, code_already_used, code_expired, operation_id_reused,
--            balance_limit_exceeded

create or replace function public.activate_access_code(
  user_id uuid,
  code text,
  operation_id text,
  address text default null,
  actor text default null
)
returns table (tokens_granted bigint, remaining bigint, replayed boolean, failure jsonb)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, the journal or access_codes; this is the door
set search_path = ''
as $$
declare
  v_code public.access_codes;
  v_granted bigint;
  v_wrong boolean;
  v_wait integer;
  v_row public.token_transactions;
begin
  select a.* into v_code
  from public.access_codes a
  where a.code_hash = private.hash_access_code(activate_access_code.code);
  v_row := private.claim_operation(user_id, operation_id, 'access_code', null, v_code.id::text, null, null);
  if v_row.id is not null then
    return query select v_row.amount, v_row.remaining_after, true, null::jsonb;
    return;
  end if;

  v_wrong := v_code.id is null or v_code.revoked_at is not null;
  v_wait := private.count_code_guess(user_id, address, v_wrong::integer);
  if v_wait is not null then
    return query select null::bigint, null::bigint, false, private.error_body(
      'rate_limited', format('Too many wrong codes; try again in %s seconds', v_wait), retry_after_seconds => v_wait
    );
    return;
  elsif v_wrong then
    return query select null::bigint, null::bigint, false, private.error_body(
      'code_not_found', 'There is no such access code'
    );
    return;
  end if;

  perform private.use_access_code(v_code.id, user_id);
  v_granted := private.claim_entitlement(user_id, v_code.tokens_to_grant, v_code.on_top);
  perform private.grant_tokens(user_id, 'purchased', v_granted);
  insert into public.access_code_activations (user_id, access_code_id, tokens_granted)
  values (activate_access_code.user_id, v_code.id, v_granted);
  v_row := private.write_transaction(
    user_id, 'access_code', 'purchased', v_granted, operation_id, v_code.id::text, null, null, actor
  );
  return query select v_granted, v_row.remaining_after, false, null::jsonb;
end;
$$;

comment on function public.activate_access_code is 'Activates an access code for a user.';

revoke execute on function public.activate_access_code from public, anon, authenticated;

grant execute on function public.activate_access_code to service_role;

-- Creates codes. Only their hashes are kept, so the codes are in the first answer and nowhere else: a replay names
-- them by id and hint, with code null.
--
-- Called by  functions/admin
-- Raises     invalid_request, operation_id_reused

create or replace function public.create_access_codes(
  count integer,
  tokens_to_grant bigint,
  operation_id text,
  on_top boolean default false,
  max_uses integer default 1,
  expires_at timestamptz default null,
  email text default null,
  note text default null,
  actor text default null
)
returns table (id uuid, code text, code_hint text, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on access_codes; this is the door
set search_path = ''
as $$
begin
  if count is null or count not between 1 and 1000 then
    perform private.raise_error('invalid_request', 'count must be from 1 to 1000');
  end if;
  if tokens_to_grant is null or tokens_to_grant not between 0 and 9000000000000000 then
    perform private.raise_error('invalid_request', 'tokens_to_grant must be from 0 to 9000000000000000');
  end if;
  if max_uses is null or max_uses not between 1 and 1000000000 then
    perform private.raise_error('invalid_request', 'max_uses must be from 1 to 1000000000');
  end if;
  if operation_id is null or length(operation_id) not between 1 and 255 then
    perform private.raise_error('invalid_request', 'operation_id must have 1 to 255 characters');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('access_codes:' || operation_id, 0));

  return query
  select a.id, null::text, a.code_hint, true
  from public.access_codes a
  where a.operation_id = create_access_codes.operation_id
  order by a.item;
  if found then
    if count <> (select count(*) from public.access_codes a where a.operation_id = create_access_codes.operation_id)
      or exists (
        select 1 from public.access_codes a
        where a.operation_id = create_access_codes.operation_id
          and (a.tokens_to_grant, a.on_top, a.max_uses, a.expires_at, a.email, a.note) is distinct from (
            create_access_codes.tokens_to_grant, coalesce(create_access_codes.on_top, false),
            create_access_codes.max_uses, create_access_codes.expires_at, create_access_codes.email,
            create_access_codes.note
          )
      )
    then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    return;
  end if;

  return query
  with codes as materialized (
    select n as item, private.generate_access_code() as code from generate_series(1, create_access_codes.count) as n
  ),
  created as (
    insert into public.access_codes as a (
      code_hash, code_hint, tokens_to_grant, on_top, max_uses, expires_at, email, note, operation_id, item, created_by
    )
    select
      private.hash_access_code(c.code), right(c.code, 4), create_access_codes.tokens_to_grant,
      coalesce(create_access_codes.on_top, false), create_access_codes.max_uses, create_access_codes.expires_at,
      create_access_codes.email, create_access_codes.note, create_access_codes.operation_id, c.item,
      coalesce(create_access_codes.actor, nullif(current_setting('role'), 'none'), session_user)
    from codes c
    returning a.id, a.code_hint, a.item
  )
  select d.id, c.code, d.code_hint, false
  from created d
  join codes c on c.item = d.item
  order by d.item;
end;
$$;

comment on function public.create_access_codes is 'Creates access codes and returns them in clear, once.';

revoke execute on function public.create_access_codes from public, anon, authenticated;

grant execute on function public.create_access_codes to service_role;

-- The codes, newest first, without the codes themselves.
--
-- Called by  functions/admin, with the created_at and id of the last one seen to go on from there

create or replace function public.list_access_codes(
  page_size integer default 50,
  before_created_at timestamptz default null,
  before_id uuid default null
)
returns table (
  id uuid,
  code_hint text,
  tokens_to_grant bigint,
  on_top boolean,
  max_uses integer,
  uses integer,
  email text,
  note text,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_by text,
  created_at timestamptz
)
language sql
stable
security definer -- access_codes is closed to all API roles
set search_path = ''
as $$
  select
    a.id, a.code_hint, a.tokens_to_grant, a.on_top, a.max_uses, a.uses, a.email, a.note, a.expires_at, a.revoked_at,
    a.created_by, a.created_at
  from public.access_codes a
  where before_created_at is null or (a.created_at, a.id) < (before_created_at, before_id)
  order by a.created_at desc, a.id desc
  limit page_size
$$;

comment on function public.list_access_codes is 'The access codes, newest first.';

revoke execute on function public.list_access_codes from public, anon, authenticated;

grant execute on function public.list_access_codes to service_role;

-- Revokes a code: nobody can activate it any more; what it gave stays given. Revoking it again changes nothing.
--
-- Called by  functions/admin
-- Raises     code_not_found

create or replace function public.revoke_access_code(access_code_id uuid)
returns table (id uuid, revoked_at timestamptz)
language plpgsql
volatile
security definer -- access_codes is closed to all API roles
set search_path = ''
as $$
begin
  return query
  update public.access_codes a
  set revoked_at = coalesce(a.revoked_at, now())
  where a.id = revoke_access_code.access_code_id
  returning a.id, a.revoked_at;
  if not found then
    perform private.raise_error('code_not_found', format('There is no access code %s', access_code_id));
  end if;
end;
$$;

comment on function public.revoke_access_code is 'Revokes an access code.';

revoke execute on function public.revoke_access_code from public, anon, authenticated;

grant execute on function public.revoke_access_code to service_role;

-- What a base price costs this user: ceil(base_amount × the plan's multiplier).
--
-- Called by  functions/credits
-- Returns    the multiplier as a decimal string, since JSON numbers are floats
-- Raises     invalid_amount, user_not_found

create or replace function public.calculate_charge(user_id uuid, base_amount bigint)
returns table (multiplier text, amount bigint)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
declare
  v_multiplier numeric := private.charge_multiplier(user_id);
begin
  perform private.check_amount(base_amount);
  if not exists (select 1 from public.user_tokens u where u.user_id = calculate_charge.user_id) then
    perform private.raise_user_not_found(user_id);
  end if;
  if base_amount * v_multiplier > 9000000000000000 then
    perform private.raise_error(
      'invalid_amount',
      format('%s tokens times %s is more than 9000000000000000', base_amount, v_multiplier)
    );
  end if;
  return query select v_multiplier::text, ceil(base_amount * v_multiplier)::bigint;
end;
$$;

comment on function public.calculate_charge is 'What a base price costs this user, by the plan''s multiplier.';

revoke execute on function public.calculate_charge from public, anon, authenticated;

grant execute on function public.calculate_charge to service_role;

-- Takes tokens from a user, at most once per operation_id, never below zero.
--
-- Called by  functions/credits, charge_tokens_batch
-- Raises     invalid_request, invalid_amount, user_not_found, insufficient_tokens, operation_id_reused

create or replace function public.charge_tokens(
  user_id uuid,
  amount bigint,
  operation_id text,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, charged bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    t.id,
    t.remaining_after,
    t.type = 'charge'
      and t.amount = -charge_tokens.amount
      and t.reference is null
      and t.description is not distinct from charge_tokens.description
      and t.metadata = coalesce(charge_tokens.metadata, '{}')
  into transaction_id, remaining, v_same
  from public.token_transactions t
  where t.user_id = charge_tokens.user_id and t.operation_id = charge_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    charged := amount;
    replayed := true;
    return next;
    return;
  end if;

  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with spent as (
      update public.user_tokens u
      set
        tokens_used = u.tokens_used + charge_tokens.amount,
        journal_seq = u.journal_seq + 1,
        journal_balance = u.journal_balance - charge_tokens.amount
      where u.user_id = charge_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= charge_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_holds h
          where h.user_id = charge_tokens.user_id and h.operation_id = charge_tokens.operation_id
        )
      returning u.journal_seq, u.journal_balance, u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, description, metadata, actor
    )
    select
      charge_tokens.user_id, s.journal_seq, 'charge', 'used', -charge_tokens.amount, s.journal_balance, s.remaining,
      charge_tokens.operation_id, charge_tokens.description, coalesce(charge_tokens.metadata, '{}'),
      coalesce(charge_tokens.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.id, t.remaining_after into transaction_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  charged := amount;
  replayed := false;
  return next;
end;
$$;

comment on function public.charge_tokens is 'Takes tokens from a user, at most once per operation_id, never below zero.';

revoke execute on function public.charge_tokens from public, anon, authenticated;

grant execute on function public.charge_tokens to service_role;

-- Charges up to 1000 operations at once. Each succeeds or is refused by itself, exactly as charge_tokens would do it
-- in the order given; the results come in that order. Users who can pay for all of their charges, none of them a
-- replay, are charged as a set; the others one by one.
--
-- Called by  functions/credits
-- Returns    for each charge either the transaction or an error {code, message, details, hint}
-- Raises     invalid_request when the batch itself is not an array of 1 to 1000 charges; PostgreSQL's own errors when an
--            item is not an object or a field of it is no uuid or bigint, which functions/credits refuses before

create or replace function public.charge_tokens_batch(charges jsonb, actor text default null)
returns table (
  user_id uuid,
  operation_id text,
  transaction_id uuid,
  charged bigint,
  remaining bigint,
  replayed boolean,
  error jsonb
)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_users uuid[];
  v_amounts bigint[];
  v_operations text[];
  v_descriptions text[];
  v_metadata jsonb[];
  v_transactions uuid[] := '{}';
  v_remaining bigint[] := '{}';
  v_done record;
begin
  if charges is null or jsonb_typeof(charges) <> 'array' or jsonb_array_length(charges) not between 1 and 1000 then
    perform private.raise_error('invalid_request', 'charges must be an array of 1 to 1000 charges');
  end if;
  select
    array_agg(c.user_id), array_agg(c.amount), array_agg(c.operation_id), array_agg(c.description), array_agg(c.metadata)
  into v_users, v_amounts, v_operations, v_descriptions, v_metadata
  from jsonb_to_recordset(charges) as c (
    user_id uuid, amount bigint, operation_id text, description text, metadata jsonb
  );

  -- All queues first, in the order of their keys: two batches never wait for each other in a circle.
  perform pg_advisory_xact_lock(k.key)
  from (
    select distinct uuid_hash_extended(c.user_id, 0) as key
    from unnest(v_users) as c (user_id)
    where c.user_id is not null
    order by 1
  ) k;

  for v_done in
    select * from private.charge_tokens_set(v_users, v_amounts, v_operations, v_descriptions, v_metadata, actor)
  loop
    v_transactions[v_done.item] := v_done.transaction_id;
    v_remaining[v_done.item] := v_done.remaining;
  end loop;

  for i in 1 .. cardinality(v_users) loop
    user_id := v_users[i];
    operation_id := v_operations[i];
    transaction_id := v_transactions[i];
    charged := v_amounts[i];
    remaining := v_remaining[i];
    replayed := false;
    error := null;
    if transaction_id is null then
      begin
        select c.transaction_id, c.charged, c.remaining, c.replayed
        into transaction_id, charged, remaining, replayed
        from public.charge_tokens(v_users[i], v_amounts[i], v_operations[i], v_descriptions[i], v_metadata[i], actor) c;
      exception
        when sqlstate 'PGRST' then
          error := sqlerrm::jsonb;
          charged := null;
          remaining := null;
          replayed := null;
      end;
    end if;
    return next;
  end loop;
end;
$$;

comment on function public.charge_tokens_batch is 'Charges up to 1000 operations at once, each as charge_tokens would.';

revoke execute on function public.charge_tokens_batch from public, anon, authenticated;

grant execute on function public.charge_tokens_batch to service_role;

-- Answers whether a user could spend an amount now. Nothing is set aside: reserve_tokens does that.
--
-- Called by  functions/credits
-- Raises     invalid_amount, user_not_found

create or replace function public.check_tokens(user_id uuid, amount bigint)
returns table (allowed boolean, have bigint, need bigint)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
begin
  perform private.check_amount(amount);
  return query
  select b.remaining >= check_tokens.amount, b.remaining, check_tokens.amount
  from public.get_token_balance(check_tokens.user_id) b;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
end;
$$;

comment on function public.check_tokens is 'Whether a user could spend an amount now.';

revoke execute on function public.check_tokens from public, anon, authenticated;

grant execute on function public.check_tokens to service_role;

-- Sweeps holds past their expiry. They stopped counting when they expired, and a user's next operation would sweep
-- them; this does it for users who don't come back. Users with an operation under way are left for the next sweep, so
-- that it never waits and never deadlocks.
--
-- Each user takes a lock until the end, and the server's lock table is finite: a backlog is worked off run by run.
--
-- Called by  pg_cron every minute where it exists (schedule_jobs)
-- Returns    the number of holds swept

create or replace function public.expire_token_holds(max_users integer default 1000)
returns bigint
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_user_id uuid;
  v_swept bigint := 0;
begin
  for v_user_id in
    select distinct h.user_id
    from public.token_holds h
    where h.status = 'active' and h.expires_at <= now()
    limit max_users
  loop
    if pg_try_advisory_xact_lock(uuid_hash_extended(v_user_id, 0)) then
      v_swept := v_swept + private.sweep_holds(v_user_id);
    end if;
  end loop;
  return v_swept;
end;
$$;

comment on function public.expire_token_holds is 'Sweeps holds past their expiry; returns how many.';

revoke execute on function public.expire_token_holds from public, anon, authenticated;

grant execute on function public.expire_token_holds to service_role;

-- Answers "why do I have 2500?" line by line: every grant and correction in order, then what is used, what is held,
-- and what remains. Its cost grows with the grants, not with the charges.
--
-- Called by  functions/admin; users over REST (row-level security leaves them their own rows only)
-- Returns    no lines for an unknown user

create or replace function public.explain_balance(user_id uuid)
returns table (
  line bigint,
  source text,
  amount bigint,
  running_total bigint,
  description text,
  reference text,
  operation_id text,
  created_at timestamptz
)
language sql
stable
security invoker
set search_path = ''
as $$
  with balance as (
    select b.used, b.reserved from public.get_token_balance(explain_balance.user_id) b
  ),
  grants as (
    select t.seq, t.type::text as source, t.amount, t.description, t.reference, t.operation_id, t.created_at
    from public.token_transactions t
    where t.user_id = explain_balance.user_id and t.account <> 'used'
  ),
  entries as (
    select 1 as part, g.seq, g.source, g.amount, g.description, g.reference, g.operation_id, g.created_at
    from grants g
    where exists (select 1 from balance)
    union all
    select 2, 0, 'used', -b.used, 'Charged, less refunds', null, null, null from balance b
    union all
    select 3, 0, 'reserved', -b.reserved, 'Held for work under way', null, null, null from balance b
  )
  select
    row_number() over entries_in_order,
    e.source,
    e.amount,
    (sum(e.amount) over entries_in_order)::bigint,
    e.description,
    e.reference,
    e.operation_id,
    e.created_at
  from entries e
  window entries_in_order as (order by e.part, e.seq)
  order by e.part, e.seq
$$;

comment on function public.explain_balance is 'Where a user''s tokens came from and went, line by line; the last running_total is what remains.';

revoke execute on function public.explain_balance from public, anon;

grant execute on function public.explain_balance to authenticated, service_role;

-- The balance, from its one source: what was bought, earned, granted and approved, less what is used and held.
-- A hold past its expiry no longer counts, whether or not it has been swept.
--
-- Called by  functions/get-token-balance, functions/credits, every operation that refuses; users over REST (row-level
--            security leaves them their own rows only)
-- Returns    one row, or none for an unknown user

create or replace function public.get_token_balance(user_id uuid)
returns table (
  purchased bigint,
  earned bigint,
  admin_bonus bigint,
  approved_requests bigint,
  total bigint,
  used bigint,
  reserved bigint,
  remaining bigint
)
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  select
    u.tokens_purchased,
    coalesce(s.earned_tokens, 0),
    coalesce(s.admin_bonus_tokens, 0),
    coalesce((
      select sum(r.amount)::bigint
      from public.token_requests r
      where r.user_id = get_token_balance.user_id and r.status = 'approved'
    ), 0),
    u.tokens_used,
    case
      when u.holds_expire_at > current_timestamp then u.tokens_reserved
      else coalesce((
        select sum(h.amount)::bigint
        from public.token_holds h
        where h.user_id = get_token_balance.user_id and h.status = 'active' and h.expires_at > current_timestamp
      ), 0)
    end
  into purchased, earned, admin_bonus, approved_requests, used, reserved
  from public.user_tokens u
  left join public.subscribers s on s.user_id = get_token_balance.user_id
  where u.user_id = get_token_balance.user_id;
  if found then
    total := purchased + earned + admin_bonus + approved_requests;
    remaining := total - used - reserved;
    return next;
  end if;
end;
$$;

comment on function public.get_token_balance is 'The balance of a user, part by part; no row for an unknown user.';

revoke execute on function public.get_token_balance from public, anon;

grant execute on function public.get_token_balance to authenticated, service_role;

-- Gives back tokens of one charge, never more than was charged: amount, or all that is left when null. As a retry, null
-- stands for whatever the first call gave back.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, charge_not_found, refund_exceeds_charge, operation_id_reused

create or replace function public.refund_tokens(
  user_id uuid,
  operation_id text,
  charge_operation_id text,
  amount bigint default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, refunded bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or the journal; this is the door
set search_path = ''
as $$
declare
  v_left bigint;
  v_row public.token_transactions;
begin
  if amount is not null then
    perform private.check_amount(amount);
  end if;
  if charge_operation_id is null then
    perform private.raise_error('invalid_request', 'charge_operation_id is missing');
  end if;
  v_row := private.claim_operation(user_id, operation_id, 'refund', amount, charge_operation_id, description, metadata);
  if v_row.id is not null then
    return query select v_row.id, v_row.amount, v_row.remaining_after, true;
    return;
  end if;

  select -t.amount into v_left
  from public.token_transactions t
  where t.user_id = refund_tokens.user_id
    and t.operation_id = refund_tokens.charge_operation_id
    and t.type = 'charge';
  if not found then
    perform private.raise_error('charge_not_found', format('The user has no charge %s', charge_operation_id));
  end if;
  select v_left - coalesce(sum(t.amount), 0) into v_left
  from public.token_transactions t
  where t.user_id = refund_tokens.user_id
    and t.reference = refund_tokens.charge_operation_id
    and t.type = 'refund';
  select least(v_left, u.tokens_used) into v_left -- an admin may have lowered tokens_used since
  from public.user_tokens u
  where u.user_id = refund_tokens.user_id
  for update;
  if v_left is null then
    perform private.raise_user_not_found(user_id);
  end if;
  if v_left = 0 or amount > v_left then
    perform private.raise_error(
      'refund_exceeds_charge',
      format('Cannot refund %s tokens: %s of the charge are left to refund', coalesce(amount::text, 'any'), v_left)
    );
  end if;

  perform set_config('scrip.posting', 'on', true);
  update public.user_tokens u
  set tokens_used = u.tokens_used - coalesce(refund_tokens.amount, v_left)
  where u.user_id = refund_tokens.user_id;
  v_row := private.write_transaction(
    user_id, 'refund', 'used', coalesce(amount, v_left), operation_id, charge_operation_id, description, metadata, actor
  );
  return query select v_row.id, v_row.amount, v_row.remaining_after, false;
end;
$$;

comment on function public.refund_tokens is 'Gives back tokens of one charge, never more than was charged.';

revoke execute on function public.refund_tokens from public, anon, authenticated;

grant execute on function public.refund_tokens to service_role;

-- Ends a hold without charging anything, also one that has expired: it can no longer be settled then.
--
-- Called by  functions/credits
-- Raises     invalid_request, hold_not_found, hold_not_active

create or replace function public.release_tokens(user_id uuid, operation_id text)
returns table (hold_id uuid, released bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_hold public.token_holds;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_user(user_id);
  perform private.sweep_holds(user_id);
  select h.* into v_hold
  from public.token_holds h
  where h.user_id = release_tokens.user_id and h.operation_id = release_tokens.operation_id
  for update;
  if not found then
    perform private.raise_error('hold_not_found', format('The user has no hold %s', operation_id));
  elsif v_hold.status = 'settled' then
    perform private.raise_error('hold_not_active', format('The hold %s is settled', operation_id));
  end if;

  replayed := v_hold.released_remaining is not null;
  if not replayed then
    perform set_config('scrip.posting', 'on', true);
    update public.user_tokens u
    set tokens_reserved = u.tokens_reserved - case v_hold.status when 'active' then v_hold.amount else 0 end
    where u.user_id = release_tokens.user_id
    returning u.journal_balance - u.tokens_reserved into v_hold.released_remaining;
    update public.token_holds h
    set
      status = 'released',
      ended_at = coalesce(h.ended_at, now()),
      released_remaining = v_hold.released_remaining
    where h.user_id = release_tokens.user_id and h.operation_id = release_tokens.operation_id;
    perform set_config('scrip.posting', '', true);
  end if;
  hold_id := v_hold.id;
  released := v_hold.amount;
  remaining := v_hold.released_remaining;
  return next;
end;
$$;

comment on function public.release_tokens is 'Ends a hold without charging anything.';

revoke execute on function public.release_tokens from public, anon, authenticated;

grant execute on function public.release_tokens to service_role;

-- Sets tokens aside for work under way, at most once per operation_id, never below zero. The hold dies by itself
-- after ttl_seconds, so that a crashed caller never strands tokens.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, user_not_found, insufficient_tokens, operation_id_reused

create or replace function public.reserve_tokens(
  user_id uuid,
  amount bigint,
  operation_id text,
  ttl_seconds integer default 900,
  description text default null,
  metadata jsonb default null
)
returns table (hold_id uuid, held bigint, expires_at timestamptz, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens or token_holds; this is the door
set search_path = ''
as $$
declare
  v_same boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null and amount between 1 and 9000000000000000 and length(operation_id) between 1 and 255
  ) is not true then
    perform private.check_amount(amount);
    perform private.check_operation(user_id, operation_id);
  elsif (ttl_seconds between 1 and 86400) is not true then
    perform private.raise_error(
      'invalid_request', format('ttl_seconds must be from 1 to 86400, got %s', coalesce(ttl_seconds::text, 'nothing'))
    );
  end if;

  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  select
    h.id,
    h.expires_at,
    h.remaining_after,
    h.amount = reserve_tokens.amount
      and h.ttl_seconds = reserve_tokens.ttl_seconds
      and h.description is not distinct from reserve_tokens.description
      and h.metadata = coalesce(reserve_tokens.metadata, '{}')
  into hold_id, expires_at, remaining, v_same
  from public.token_holds h
  where h.user_id = reserve_tokens.user_id and h.operation_id = reserve_tokens.operation_id;
  if found then
    if not v_same then
      perform private.raise_operation_id_reused(operation_id);
    end if;
    held := amount;
    replayed := true;
    return next;
    return;
  end if;

  expires_at := current_timestamp + make_interval(secs => ttl_seconds);
  loop
    v_posting := set_config('scrip.posting', 'on', true);
    with reserved as (
      update public.user_tokens u
      set
        tokens_reserved = u.tokens_reserved + reserve_tokens.amount,
        holds_expire_at = least(u.holds_expire_at, reserve_tokens.expires_at)
      where u.user_id = reserve_tokens.user_id
        and u.journal_balance - u.tokens_reserved >= reserve_tokens.amount
        and u.holds_expire_at > current_timestamp
        and not exists (
          select 1 from public.token_transactions t
          where t.user_id = reserve_tokens.user_id and t.operation_id = reserve_tokens.operation_id
        )
      returning u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_holds as h (
      user_id, operation_id, amount, ttl_seconds, expires_at, remaining_after, description, metadata
    )
    select
      reserve_tokens.user_id, reserve_tokens.operation_id, reserve_tokens.amount, reserve_tokens.ttl_seconds,
      reserve_tokens.expires_at, r.remaining, reserve_tokens.description, coalesce(reserve_tokens.metadata, '{}')
    from reserved r
    returning h.id, h.remaining_after into hold_id, remaining;
    exit when found;
    perform private.refuse_spend(user_id, amount, operation_id);
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  held := amount;
  replayed := false;
  return next;
end;
$$;

comment on function public.reserve_tokens is 'Sets tokens aside until they are settled, released or expire.';

revoke execute on function public.reserve_tokens from public, anon, authenticated;

grant execute on function public.reserve_tokens to service_role;

-- Ends a hold by charging what was really used: amount, or the whole hold when null. What was held beyond it is free
-- again. More than was held, or a hold that has expired, is charged all the same, since the work is done: the one
-- spend that may take remaining below zero, and overdrawn says so.
--
-- Called by  functions/credits
-- Raises     invalid_request, invalid_amount, hold_not_found, hold_not_active, operation_id_reused,
--            balance_limit_exceeded

create or replace function public.settle_tokens(
  user_id uuid,
  operation_id text,
  amount bigint default null,
  actor text default null
)
returns table (transaction_id uuid, charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, token_holds or the journal; this is the door
set search_path = ''
as $$
declare
  v_held bigint;
  v_status public.token_hold_status;
  v_used bigint;
  v_due boolean;
  v_locked boolean;
  v_posting text;
begin
  if (
    user_id is not null
    and coalesce(amount, 1) between 1 and 9000000000000000
    and length(operation_id) between 1 and 255
  ) is not true then
    perform private.check_amount(coalesce(amount, 1));
    perform private.check_operation(user_id, operation_id);
  end if;
  v_locked := pg_advisory_xact_lock(uuid_hash_extended(user_id, 0)) is null;

  loop
    select h.amount, h.status, u.tokens_used, u.holds_expire_at <= current_timestamp
    into v_held, v_status, v_used, v_due
    from public.token_holds h
    join public.user_tokens u on u.user_id = h.user_id
    where h.user_id = settle_tokens.user_id and h.operation_id = settle_tokens.operation_id;
    charged := coalesce(amount, v_held);
    if v_status is null or v_status in ('settled', 'released') then
      return query select * from private.settled_before(user_id, operation_id, charged);
      return;
    elsif v_used + charged > 9000000000000000 then
      perform private.raise_error(
        'balance_limit_exceeded',
        format('Cannot charge %s tokens: a user may use at most 9000000000000000', charged)
      );
    elsif v_due then
      perform private.sweep_holds(user_id);
      continue;
    end if;

    v_posting := set_config('scrip.posting', 'on', true);
    with settled as ( -- none, if an edit by hand came in between: then look again
      update public.token_holds h
      set status = 'settled', settled_amount = settle_tokens.charged, ended_at = current_timestamp
      where h.user_id = settle_tokens.user_id
        and h.operation_id = settle_tokens.operation_id
        and h.status = v_status
        and h.amount = v_held
      returning h.user_id, h.id, h.description, h.metadata
    ),
    spent as (
      update public.user_tokens u
      set
        tokens_used = u.tokens_used + settle_tokens.charged,
        tokens_reserved = u.tokens_reserved - case v_status when 'active' then v_held else 0 end,
        journal_seq = u.journal_seq + 1,
        journal_balance = u.journal_balance - settle_tokens.charged
      from settled h
      where u.user_id = h.user_id
      returning
        h.id, h.description, h.metadata, u.journal_seq, u.journal_balance,
        u.journal_balance - u.tokens_reserved as remaining
    )
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, reference, description,
      metadata, actor
    )
    select
      settle_tokens.user_id, s.journal_seq, 'charge', 'used', -settle_tokens.charged, s.journal_balance, s.remaining,
      settle_tokens.operation_id, s.id::text, s.description, s.metadata,
      coalesce(settle_tokens.actor, nullif(current_setting('role'), 'none'), session_user)
    from spent s
    returning t.id, t.remaining_after into transaction_id, remaining;
    exit when found;
  end loop;
  v_posting := set_config('scrip.posting', '', true);
  overdrawn := remaining < 0;
  replayed := false;
  return next;
end;
$$;

comment on function public.settle_tokens is 'Ends a hold by charging what was used; the rest is free again.';

revoke execute on function public.settle_tokens from public, anon, authenticated;

grant execute on function public.settle_tokens to service_role;

-- A person known to Scrip: a user, or someone on the waiting list who has not signed up (user_id is null).

create table public.subscribers (
  id uuid not null default gen_random_uuid(),
  user_id uuid,
  email text,
  display_name text,
  locale text,
  base_tokens bigint not null default 1000,
  bonus_tokens bigint not null default 1500,
  entitlement_granted_at timestamptz,
  earned_tokens bigint not null default 0,
  admin_bonus_tokens bigint not null default 0,
  created_at timestamptz not null default now(),
  constraint subscribers_pkey primary key (id),
  constraint subscribers_user_id_key unique (user_id),
  constraint subscribers_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint subscribers_identified_check check (user_id is not null or email is not null),
  constraint subscribers_email_check check (length(email) between 3 and 320),
  constraint subscribers_display_name_check check (length(display_name) <= 200),
  constraint subscribers_locale_check check (locale ~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' and length(locale) <= 35),
  constraint subscribers_base_tokens_check check (base_tokens between 0 and 9000000000000000),
  constraint subscribers_bonus_tokens_check check (bonus_tokens between 0 and 9000000000000000),
  constraint subscribers_earned_tokens_check check (earned_tokens between 0 and 9000000000000000),
  constraint subscribers_admin_bonus_tokens_check check (admin_bonus_tokens between 0 and 9000000000000000)
);

-- One place on the waiting list an address; users are told apart by user_id, since an unconfirmed address proves nothing.
create unique index subscribers_waiting_email_key on public.subscribers (lower(email)) where user_id is null;

comment on table public.subscribers is 'People: users, and those on the waiting list (user_id is null). Edits of earned and bonus tokens are journalled.';

comment on column public.subscribers.id is 'The subscriber.';

comment on column public.subscribers.user_id is 'The auth user, or null on the waiting list.';

comment on column public.subscribers.email is 'The e-mail address, as signed up with.';

comment on column public.subscribers.display_name is 'What the person wants to be called; the user may change it.';

comment on column public.subscribers.locale is 'Language tag such as en or de-AT; the user may change it.';

comment on column public.subscribers.base_tokens is 'Sign-up entitlement, moved into tokens_purchased by the first access code; never part of a sum.';

comment on column public.subscribers.bonus_tokens is 'Early-bird entitlement, moved with base_tokens; never part of a sum.';

comment on column public.subscribers.entitlement_granted_at is 'When base_tokens and bonus_tokens were moved into tokens_purchased; null if not yet.';

comment on column public.subscribers.earned_tokens is 'Referral rewards.';

comment on column public.subscribers.admin_bonus_tokens is 'Extra grants by an admin.';

comment on column public.subscribers.created_at is 'When the person joined.';

alter table public.subscribers enable row level security;

create policy "Users read their own subscriber" on public.subscribers
for select to authenticated
using ((select auth.uid()) = user_id);

create policy "Users change their own name and locale" on public.subscribers
for update to authenticated
using ((select auth.uid()) = user_id)
with check ((select auth.uid()) = user_id);

revoke all on table public.subscribers from public, anon, authenticated, service_role;

grant select on table public.subscribers to authenticated, service_role;

grant update (display_name, locale) on table public.subscribers to authenticated;

-- The balance column that a journal row changed, named as in the answer of get_token_balance.

create type public.token_account as enum (
  'purchased',
  'earned',
  'admin_bonus',
  'approved_requests',
  'used'
);

comment on type public.token_account is 'The part of the balance that a journal row changed.';

create type public.token_hold_status as enum ('active', 'settled', 'released', 'expired');

comment on type public.token_hold_status is 'A hold is active until it is settled, released or expired.';

-- Tokens set aside for work under way. A hold lowers remaining at once and dies by itself at expires_at. It has no foreign
-- key, which reserve_tokens would pay for after updating the very row: it goes when its row of user_tokens goes.

create table public.token_holds (
  user_id uuid not null,
  operation_id text not null,
  id uuid not null default gen_random_uuid(),
  amount bigint not null,
  status public.token_hold_status not null default 'active',
  ttl_seconds integer not null default 900,
  expires_at timestamptz not null default now() + interval '15 minutes',
  remaining_after bigint not null default 0,
  settled_amount bigint,
  released_remaining bigint,
  description text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint token_holds_pkey primary key (user_id, operation_id)
)
with (fillfactor = 70);

create index token_holds_active_idx on public.token_holds (user_id, expires_at) include (amount) where status = 'active';

comment on table public.token_holds is 'Tokens set aside for work under way; they count against remaining while active.';

comment on column public.token_holds.user_id is 'Whose tokens.';

comment on column public.token_holds.operation_id is 'The caller''s idempotency key; settling and releasing name the hold by it.';

comment on column public.token_holds.id is 'The hold.';

comment on column public.token_holds.amount is 'Tokens held.';

comment on column public.token_holds.status is 'active until settled, released or expired.';

comment on column public.token_holds.ttl_seconds is 'How long it was asked to live, in seconds.';

comment on column public.token_holds.expires_at is 'From then on it no longer counts.';

comment on column public.token_holds.remaining_after is 'What the user could spend right after the hold was made.';

comment on column public.token_holds.settled_amount is 'Tokens charged when it was settled.';

comment on column public.token_holds.released_remaining is 'What the user could spend right after the hold was released.';

comment on column public.token_holds.description is 'What it is for, in the caller''s words.';

comment on column public.token_holds.metadata is 'The caller''s own data.';

comment on column public.token_holds.created_at is 'When it was made.';

comment on column public.token_holds.ended_at is 'When it was settled, released or swept as expired.';

alter table public.token_holds enable row level security;

create policy "Users read their own holds" on public.token_holds
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.token_holds from public, anon, authenticated, service_role;

grant select on table public.token_holds to authenticated, service_role;

create type public.token_request_status as enum ('pending', 'approved', 'rejected');

comment on type public.token_request_status is 'An admin approves or rejects a pending request for tokens.';

-- Users ask for tokens; an approved request counts at once, and undoing it takes the tokens back.

create table public.token_requests (
  user_id uuid not null default auth.uid(),
  id uuid not null default gen_random_uuid(),
  amount bigint not null,
  reason text,
  status public.token_request_status not null default 'pending',
  created_at timestamptz not null default now(),
  constraint token_requests_pkey primary key (user_id, id),
  constraint token_requests_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint token_requests_amount_check check (amount between 1 and 9000000000000000),
  constraint token_requests_reason_check check (length(reason) <= 2000)
);

create index token_requests_approved_idx on public.token_requests (user_id) include (amount) where status = 'approved';

comment on table public.token_requests is 'Requests for tokens; approved ones count in the balance. Edits are journalled.';

comment on column public.token_requests.user_id is 'Who asks.';

comment on column public.token_requests.id is 'The request.';

comment on column public.token_requests.amount is 'Tokens asked for.';

comment on column public.token_requests.reason is 'Why, in the user''s words.';

comment on column public.token_requests.status is 'Set it to approved and the tokens count at once.';

comment on column public.token_requests.created_at is 'When the user asked.';

alter table public.token_requests enable row level security;

create policy "Users read their own requests" on public.token_requests
for select to authenticated
using ((select auth.uid()) = user_id);

create policy "Users ask for tokens" on public.token_requests
for insert to authenticated
with check ((select auth.uid()) = user_id and status = 'pending');

revoke all on table public.token_requests from public, anon, authenticated, service_role;

grant select on table public.token_requests to authenticated, service_role;

grant insert (user_id, amount, reason) on table public.token_requests to authenticated;

create type public.token_transaction_type as enum (
  'purchase',
  'access_code',
  'subscription',
  'bonus',
  'referral',
  'request',
  'add',
  'charge',
  'refund',
  'clawback',
  'adjustment',
  'expire'
);

comment on type public.token_transaction_type is 'Why a journal row was written.';

-- The journal: one row for every change of a balance column, in the transaction that made it, for ever.
-- It has no foreign key to the user: a deleted account's rows stay, and sum up to zero.

create table public.token_transactions (
  user_id uuid not null,
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  type public.token_transaction_type not null,
  account public.token_account not null,
  amount bigint not null,
  balance_after bigint not null,
  remaining_after bigint not null,
  operation_id text,
  reference text,
  description text,
  metadata jsonb not null default '{}',
  actor text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint token_transactions_pkey primary key (user_id, seq),
  constraint token_transactions_operation_id_key unique (user_id, operation_id)
);

create index token_transactions_grants_idx on public.token_transactions (user_id, seq) where account <> 'used';

create index token_transactions_refunds_idx on public.token_transactions (user_id, reference) where type = 'refund';

comment on table public.token_transactions is 'The journal: every change of a balance, append-only.';

comment on column public.token_transactions.user_id is 'Whose balance changed.';

comment on column public.token_transactions.seq is 'Number of the row among the user''s, from 1, without gaps.';

comment on column public.token_transactions.id is 'The transaction.';

comment on column public.token_transactions.type is 'Why it changed.';

comment on column public.token_transactions.account is 'Which part of the balance changed.';

comment on column public.token_transactions.amount is 'Tokens given (positive) or taken (negative).';

comment on column public.token_transactions.balance_after is 'The sum of the user''s amounts up to this row: total less used.';

comment on column public.token_transactions.remaining_after is 'What the user could spend after this row: balance_after less what was held.';

comment on column public.token_transactions.operation_id is 'The caller''s idempotency key, or null for an edit by hand.';

comment on column public.token_transactions.reference is 'What it is about: an access code, a hold, the charge of a refund, a Stripe object.';

comment on column public.token_transactions.description is 'What it was for, in the caller''s words.';

comment on column public.token_transactions.metadata is 'The caller''s own data.';

comment on column public.token_transactions.actor is 'Who did it: the user''s id that the caller named, else the database role.';

comment on column public.token_transactions.created_at is 'When.';

alter table public.token_transactions enable row level security;

create policy "Users read their own transactions" on public.token_transactions
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.token_transactions from public, anon, authenticated, service_role;

grant select on table public.token_transactions to authenticated, service_role;

-- What a user bought, spent and holds, and the head of the user's journal. The other parts of the balance are in
-- subscribers and token_requests; get_token_balance adds them up. This row is also the user's mutex: whoever writes to
-- the journal updates it. A check constraint would be parsed anew by every operation, so bounds are kept by the operations
-- and, for edits by hand, by the trigger.

create table public.user_tokens (
  user_id uuid not null,
  tokens_purchased bigint not null default 0,
  tokens_used bigint not null default 0,
  tokens_reserved bigint not null default 0,
  holds_expire_at timestamptz not null default 'infinity',
  journal_seq bigint not null default 0,
  journal_balance bigint not null default 0,
  created_at timestamptz not null default now(),
  constraint user_tokens_pkey primary key (user_id),
  constraint user_tokens_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
)
with (fillfactor = 50);

-- room for HOT updates: this row changes with every operation

comment on table public.user_tokens is 'Tokens that a user bought, spent and holds; one row a user. Edits are journalled.';

comment on column public.user_tokens.user_id is 'The auth user.';

comment on column public.user_tokens.tokens_purchased is 'Tokens bought or activated: packages, access codes, subscription credits.';

comment on column public.user_tokens.tokens_used is 'Tokens spent.';

comment on column public.user_tokens.tokens_reserved is 'Tokens held by active holds: the sum over token_holds, kept by Scrip.';

comment on column public.user_tokens.holds_expire_at is 'No active hold expires before then, kept by Scrip; infinity without holds.';

comment on column public.user_tokens.journal_seq is 'The last seq of the user''s journal, kept by Scrip.';

comment on column public.user_tokens.journal_balance is 'The last balance_after of the user''s journal: total less used, kept by Scrip.';

comment on column public.user_tokens.created_at is 'When the user signed up.';

alter table public.user_tokens enable row level security;

create policy "Users read their own tokens" on public.user_tokens
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.user_tokens from public, anon, authenticated, service_role;

grant select on table public.user_tokens to authenticated, service_role;

-- Proves that the journal and the balance columns agree, for every user: seq without gaps, each balance_after the one
-- before plus the amount, each column the sum of its rows, the head on user_tokens the last row, holds adding up and
-- due in time, no charge refunded beyond its amount.
-- It reads everything: for tests, benchmarks and an operator's nightly check.
--
-- Called by  tests, benchmarks, operators
-- Returns    a row for each problem; none when all is well

create or replace function public.verify_ledger()
returns table (user_id uuid, problem text, expected numeric, actual numeric)
language sql
stable
security invoker
set search_path = ''
as $$
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
$$;

comment on function public.verify_ledger is 'A row for each disagreement between the journal and the balances; none when all is well.';

revoke execute on function public.verify_ledger from public, anon, authenticated;

grant execute on function public.verify_ledger to service_role;

create schema private;

comment on schema private is 'What clients never see: helpers, trigger functions, rate limits. Not exposed over REST.';

-- Who activated which code: once a user and code.

create table public.access_code_activations (
  user_id uuid not null,
  access_code_id uuid not null,
  tokens_granted bigint not null,
  created_at timestamptz not null default now(),
  constraint access_code_activations_pkey primary key (user_id, access_code_id),
  constraint access_code_activations_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint access_code_activations_access_code_id_fkey
    foreign key (access_code_id) references public.access_codes (id) on delete restrict
);

create index access_code_activations_access_code_id_idx on public.access_code_activations (access_code_id);

comment on table public.access_code_activations is 'Which user activated which access code.';

comment on column public.access_code_activations.user_id is 'Who.';

comment on column public.access_code_activations.access_code_id is 'Which code.';

comment on column public.access_code_activations.tokens_granted is 'Tokens it gave, entitlement included.';

comment on column public.access_code_activations.created_at is 'When.';

alter table public.access_code_activations enable row level security;

create policy "Users read their own activations" on public.access_code_activations
for select to authenticated
using ((select auth.uid()) = user_id);

revoke all on table public.access_code_activations from public, anon, authenticated, service_role;

grant select on table public.access_code_activations to authenticated, service_role;

-- What a code gives this user: the grant, and with the first code the sign-up entitlement, which is then spent.
--
-- Called by  activate_access_code
-- Raises     user_not_found

create or replace function private.claim_entitlement(user_id uuid, tokens_to_grant bigint, on_top boolean)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_subscriber public.subscribers;
begin
  select s.* into v_subscriber from public.subscribers s where s.user_id = claim_entitlement.user_id for update;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
  if v_subscriber.entitlement_granted_at is not null then
    return tokens_to_grant;
  end if;
  update public.subscribers s set entitlement_granted_at = now() where s.id = v_subscriber.id;
  return v_subscriber.base_tokens + case
    when on_top then v_subscriber.bonus_tokens + tokens_to_grant
    else greatest(v_subscriber.bonus_tokens, tokens_to_grant)
  end;
end;
$$;

comment on function private.claim_entitlement is 'What a code gives a user, with the sign-up entitlement if it is the first.';

revoke execute on function private.claim_entitlement from public;

-- Wrong guesses of access codes, counted a minute at a time for each user and each address.

create table private.code_guesses (
  subject text not null,
  guesses integer not null,
  window_started_at timestamptz not null,
  constraint code_guesses_pkey primary key (subject)
);

create index code_guesses_window_idx on private.code_guesses (window_started_at);

comment on table private.code_guesses is 'Wrong guesses of access codes in the current minute of a user or an address.';

comment on column private.code_guesses.subject is 'user:<id> or address:<address>.';

comment on column private.code_guesses.guesses is 'Wrong guesses since window_started_at.';

comment on column private.code_guesses.window_started_at is 'When the minute began: with its first wrong guess.';

alter table private.code_guesses enable row level security;

-- Counts wrong guesses and says when there were too many: from the tenth in a minute of a user, the fiftieth of an
-- address (which many users may share), until the minute is over.
--
-- Called by  activate_access_code
-- Returns    the seconds to wait, or null

create or replace function private.count_code_guess(user_id uuid, address text, wrong integer)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_subjects text[] := array['user:' || user_id] || coalesce('address:' || address, '{}');
  v_wait integer;
begin
  if wrong > 0 then
    insert into private.code_guesses as g (subject, guesses, window_started_at)
    select s, wrong, clock_timestamp() from unnest(v_subjects) s
    on conflict (subject) do update set
      guesses = excluded.guesses
        + case when g.window_started_at > excluded.window_started_at - interval '1 minute' then g.guesses else 0 end,
      window_started_at = case
        when g.window_started_at > excluded.window_started_at - interval '1 minute' then g.window_started_at
        else excluded.window_started_at
      end;
    delete from private.code_guesses g
    where g.subject in (
      select o.subject from private.code_guesses o
      where o.window_started_at < clock_timestamp() - interval '1 hour'
      limit 100
      for update skip locked
    );
  end if;
  select ceil(extract(epoch from max(g.window_started_at) + interval '1 minute' - clock_timestamp()))::integer into v_wait
  from private.code_guesses g
  where g.subject = any (v_subjects)
    and g.window_started_at > clock_timestamp() - interval '1 minute'
    and g.guesses >= case when g.subject like 'user:%' then 10 else 50 end;
  return v_wait;
end;
$$;

comment on function private.count_code_guess is 'Counts wrong guesses of access codes; returns the seconds to wait, or null.';

revoke execute on function private.count_code_guess from public;

-- Makes a code such as 7KQM-2XW9-0RTB-HC5E: 80 bits in Crockford's base 32 alphabet, which has no look-alikes.
-- The randomness is that of gen_random_uuid, PostgreSQL's CSPRNG; hashing two spreads their fixed bits.
--
-- Called by  create_access_codes
-- Source     https://www.crockford.com/base32.html

create or replace function private.generate_access_code()
returns text
language sql
volatile
set search_path = ''
as $$
  select string_agg(
    substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (get_byte(random.bytes, i) & 31) + 1, 1)
      || case when i in (3, 7, 11) then '-' else '' end,
    '' order by i
  )
  from (select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) as bytes) random
  cross join generate_series(0, 15) as i
$$;

comment on function private.generate_access_code is 'A random access code.';

revoke execute on function private.generate_access_code from public;

-- How a code is stored and found: upper case, without separators, look-alikes folded (Crockford's base 32), then
-- SHA-256. Codes carry 80 random bits, so a plain hash cannot be reversed by trying.
--
-- Called by  create_access_codes, activate_access_code

create or replace function private.hash_access_code(code text)
returns bytea
language sql
immutable
set search_path = ''
as $$
  select sha256(convert_to(translate(regexp_replace(upper(code), '[^0-9A-Z]', '', 'g'), 'OIL', '011'), 'UTF8'))
$$;

comment on function private.hash_access_code is 'The hash under which an access code is stored.';

revoke execute on function private.hash_access_code from public;

-- Takes one use of a code for a user, or says why not.
--
-- Called by  activate_access_code
-- Raises     code_not_found, code_already_used, code_expired, forbidden

create or replace function private.use_access_code(access_code_id uuid, user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_code public.access_codes;
begin
  select a.* into v_code from public.access_codes a where a.id = use_access_code.access_code_id for update;
  if v_code.revoked_at is not null then
    perform private.raise_error('code_not_found', 'There is no such access code');
  end if;
  if exists (
    select 1 from public.access_code_activations c
    where c.user_id = use_access_code.user_id and c.access_code_id = use_access_code.access_code_id
  ) then
    perform private.raise_error('code_already_used', 'You have already used this access code');
  end if;
  if v_code.email is not null and not exists (
    select 1 from auth.users u
    where u.id = use_access_code.user_id
      and lower(u.email) = lower(v_code.email)
      and u.email_confirmed_at is not null
  ) then
    perform private.raise_error('forbidden', 'This access code is for another e-mail address');
  end if;
  if v_code.expires_at <= now() then
    perform private.raise_error(
      'code_expired',
      format(
        'This access code expired at %s', to_char(v_code.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      )
    );
  end if;
  if v_code.uses >= v_code.max_uses then
    perform private.raise_error('code_already_used', 'This access code is used up');
  end if;
  update public.access_codes a set uses = a.uses + 1 where a.id = use_access_code.access_code_id;
end;
$$;

comment on function private.use_access_code is 'Takes one use of an access code for a user.';

revoke execute on function private.use_access_code from public;

-- Gives tokens to a user, at most once per operation_id. The type decides where they count: bonus as admin bonus,
-- referral as earned, all others as purchased.
--
-- Called by  functions/credits, functions/admin
-- Raises     invalid_request, invalid_amount, balance_limit_exceeded, user_not_found, operation_id_reused

create or replace function public.add_tokens(
  user_id uuid,
  amount bigint,
  type public.token_transaction_type,
  operation_id text,
  reference text default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns table (transaction_id uuid, added bigint, remaining bigint, replayed boolean)
language plpgsql
volatile
security definer -- callers hold no DML on user_tokens, subscribers or the journal; this is the door
set search_path = ''
as $$
declare
  v_account public.token_account;
  v_row public.token_transactions;
begin
  perform private.check_amount(amount);
  v_account := case type
    when 'add' then 'purchased'
    when 'purchase' then 'purchased'
    when 'subscription' then 'purchased'
    when 'bonus' then 'admin_bonus'
    when 'referral' then 'earned'
  end;
  if v_account is null then
    perform private.raise_error(
      'invalid_request',
      format('type must be add, purchase, subscription, bonus or referral, got %s', coalesce(type::text, 'nothing'))
    );
  end if;
  v_row := private.claim_operation(user_id, operation_id, type, amount, reference, description, metadata);
  if v_row.id is not null then
    return query select v_row.id, v_row.amount, v_row.remaining_after, true;
    return;
  end if;

  perform private.grant_tokens(user_id, v_account, amount);
  v_row := private.write_transaction(
    user_id, type, v_account, amount, operation_id, reference, description, metadata, actor
  );
  return query select v_row.id, v_row.amount, v_row.remaining_after, false;
end;
$$;

comment on function public.add_tokens is 'Gives tokens to a user, at most once per operation_id.';

revoke execute on function public.add_tokens from public, anon, authenticated;

grant execute on function public.add_tokens to service_role;

-- Brings the derived columns of a new user_tokens row in line with what is there already, before anyone sees the row: a
-- journal, if the user had a row before. A new row has no holds, since holds are deleted with their row.
--
-- Called by  a trigger of user_tokens

create or replace function private.adopt_journal()
returns trigger
language plpgsql
security definer -- whoever inserts the row may not read the journal
set search_path = ''
as $$
begin
  perform private.lock_user(new.user_id);
  new.tokens_reserved := 0;
  new.holds_expire_at := 'infinity';
  select t.seq, t.balance_after into new.journal_seq, new.journal_balance
  from public.token_transactions t
  where t.user_id = new.user_id
  order by t.seq desc
  limit 1;
  new.journal_seq := coalesce(new.journal_seq, 0);
  new.journal_balance := coalesce(new.journal_balance, 0);
  return new;
end;
$$;

comment on function private.adopt_journal is 'Brings a new user_tokens row in line with the user''s journal.';

revoke execute on function private.adopt_journal from public;

-- What a user's charges are multiplied by. A user without a subscription plan pays the base price.
--
-- Called by  calculate_charge

create or replace function private.charge_multiplier(user_id uuid)
returns numeric
language sql
stable
set search_path = ''
as $$
  select 1::numeric
$$;

comment on function private.charge_multiplier is 'The multiplier of a user''s charges: 1 without a plan.';

revoke execute on function private.charge_multiplier from public;

-- Charges as a set every user of a batch for whom nothing can go wrong: all charges valid, their operation_ids new
-- and different, and the sum covered. The caller holds the users' queues.
--
-- Called by  charge_tokens_batch
-- Returns    the items charged; those of the other users are missing

create or replace function private.charge_tokens_set(
  users uuid[],
  amounts bigint[],
  operations text[],
  descriptions text[],
  metadata jsonb[],
  actor text
)
returns table (item bigint, transaction_id uuid, remaining bigint)
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('scrip.posting', 'on', true);
  return query
  with items as (
    select
      c.*,
      count(*) over rest_in_order as items_left,
      sum(c.amount) over rest_in_order as amount_left
    from unnest(users, amounts, operations, descriptions, charge_tokens_set.metadata)
      with ordinality as c (user_id, amount, operation_id, description, metadata, item)
    window rest_in_order as (partition by c.user_id order by c.item desc)
  ),
  payable as (
    select i.user_id, count(*) as items, sum(i.amount) as amount
    from items i
    where i.user_id is not null
    group by i.user_id
    having bool_and(
        coalesce(i.amount between 1 and 9000000000000000 and length(i.operation_id) between 1 and 255, false)
      )
      and count(*) = count(distinct i.operation_id)
      and not bool_or(exists (
        select 1 from public.token_transactions t where t.user_id = i.user_id and t.operation_id = i.operation_id
      ))
      and not bool_or(exists (
        select 1 from public.token_holds h where h.user_id = i.user_id and h.operation_id = i.operation_id
      ))
  ),
  spent as (
    update public.user_tokens u
    set
      tokens_used = u.tokens_used + p.amount::bigint,
      journal_seq = u.journal_seq + p.items,
      journal_balance = u.journal_balance - p.amount::bigint
    from payable p
    where u.user_id = p.user_id
      and u.journal_balance - u.tokens_reserved >= p.amount
      and u.holds_expire_at > current_timestamp
    returning u.user_id, u.journal_seq, u.journal_balance, u.tokens_reserved
  ),
  written as (
    insert into public.token_transactions as t (
      user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, description, metadata, actor
    )
    select
      i.user_id,
      s.journal_seq - i.items_left + 1,
      'charge',
      'used',
      -i.amount,
      s.journal_balance + i.amount_left - i.amount,
      s.journal_balance + i.amount_left - i.amount - s.tokens_reserved,
      i.operation_id,
      i.description,
      coalesce(i.metadata, '{}'),
      coalesce(charge_tokens_set.actor, nullif(current_setting('role'), 'none'), session_user)
    from items i
    join spent s on s.user_id = i.user_id
    order by i.item
    returning t.user_id, t.operation_id, t.id, t.remaining_after
  )
  select i.item, w.id, w.remaining_after
  from written w
  join items i on i.user_id = w.user_id and i.operation_id = w.operation_id;
  perform set_config('scrip.posting', '', true);
end;
$$;

comment on function private.charge_tokens_set is 'Charges as a set the users of a batch for whom nothing can go wrong.';

revoke execute on function private.charge_tokens_set from public;

-- Refuses amounts that are not 1 … 9 000 000 000 000 000 tokens, the range that JSON carries exactly.
--
-- Called by  every operation that takes an amount
-- Raises     invalid_amount

create or replace function private.check_amount(amount bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if amount is null or amount not between 1 and 9000000000000000 then
    perform private.raise_error(
      'invalid_amount',
      format('amount must be from 1 to 9000000000000000 tokens, got %s', coalesce(amount::text, 'nothing'))
    );
  end if;
end;
$$;

comment on function private.check_amount is 'Refuses amounts out of bounds.';

revoke execute on function private.check_amount from public;

-- Checks what every operation is named by.
--
-- Called by  every operation
-- Raises     invalid_request

create or replace function private.check_operation(user_id uuid, operation_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if user_id is null then
    perform private.raise_error('invalid_request', 'user_id is missing');
  elsif operation_id is null or length(operation_id) not between 1 and 255 then
    perform private.raise_error('invalid_request', 'operation_id must have 1 to 255 characters');
  end if;
end;
$$;

comment on function private.check_operation is 'Refuses an operation without a user or a usable operation_id.';

revoke execute on function private.check_operation from public;

-- Opens an operation: checks its arguments, takes the user's queue, and finds the result of an earlier call with the
-- same operation_id.
--
-- Called by  add_tokens, refund_tokens, activate_access_code
-- Returns    the journal row of the first call; all null when this is the first. A null amount matches any.
-- Raises     invalid_request, invalid_amount, operation_id_reused

create or replace function private.claim_operation(
  user_id uuid,
  operation_id text,
  type public.token_transaction_type,
  amount bigint,
  reference text,
  description text,
  metadata jsonb
)
returns public.token_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_first public.token_transactions;
begin
  perform private.check_operation(user_id, operation_id);
  perform private.lock_user(user_id);

  select t.* into v_first
  from public.token_transactions t
  where t.user_id = claim_operation.user_id and t.operation_id = claim_operation.operation_id;
  if found then
    if v_first.type <> claim_operation.type
      or v_first.amount <> claim_operation.amount
      or v_first.reference is distinct from claim_operation.reference
      or v_first.description is distinct from claim_operation.description
      or v_first.metadata <> coalesce(claim_operation.metadata, '{}')
    then
      perform private.raise_operation_id_reused(operation_id);
    end if;
  elsif exists (
    select 1 from public.token_holds h
    where h.user_id = claim_operation.user_id and h.operation_id = claim_operation.operation_id
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return v_first;
end;
$$;

comment on function private.claim_operation is 'Takes the user''s queue and finds the first result of an operation_id.';

revoke execute on function private.claim_operation from public;

-- Keeps user_tokens in step with holds edited by hand. A hold that has ended is a record; an active one may be
-- released, expired, resized or given more time, but only settle_tokens settles, since settling charges.
--
-- Called by  a trigger of token_holds, for edits by hand
-- Raises     hold_not_active, derived_column, invalid_amount, operation_id_reused, user_not_found

create or replace function private.count_token_hold()
returns trigger
language plpgsql
security definer -- whoever may edit the hold may not edit user_tokens
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.status <> 'active' then
    perform private.raise_error('hold_not_active', format('The hold %s is %s', old.operation_id, old.status));
  elsif tg_op <> 'DELETE' and new.status = 'settled' then
    perform private.raise_error(
      'derived_column', 'A hold is settled by charging what was used', hint => 'Call settle_tokens.'
    );
  elsif tg_op <> 'DELETE' then
    perform private.check_amount(new.amount);
  end if;
  if tg_op = 'INSERT' and exists (
    select 1 from public.token_transactions t where t.user_id = new.user_id and t.operation_id = new.operation_id
  ) then
    perform private.raise_operation_id_reused(new.operation_id);
  end if;
  perform set_config('scrip.posting', 'on', true);
  if tg_op <> 'INSERT' and old.status = 'active' then
    update public.user_tokens u set tokens_reserved = u.tokens_reserved - old.amount where u.user_id = old.user_id;
  end if;
  if tg_op <> 'DELETE' and new.status = 'active' then
    update public.user_tokens u
    set
      tokens_reserved = u.tokens_reserved + new.amount,
      holds_expire_at = least(u.holds_expire_at, new.expires_at)
    where u.user_id = new.user_id;
    if not found then
      perform private.raise_user_not_found(new.user_id);
    end if;
  end if;
  perform set_config('scrip.posting', '', true);
  return null;
end;
$$;

comment on function private.count_token_hold is 'Keeps user_tokens in step with holds edited by hand.';

revoke execute on function private.count_token_hold from public;

-- Raises one of the columns that make up a user's total, leaving the journal row to the caller. Rows are locked in the
-- order subscribers, user_tokens, as in an edit by hand.
--
-- Called by  add_tokens, activate_access_code
-- Raises     balance_limit_exceeded, user_not_found

create or replace function private.grant_tokens(user_id uuid, account public.token_account, amount bigint)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_total bigint;
begin
  perform set_config('scrip.posting', 'on', true);
  if account in ('earned', 'admin_bonus') then
    update public.subscribers s
    set
      earned_tokens = s.earned_tokens + case account when 'earned' then grant_tokens.amount else 0 end,
      admin_bonus_tokens = s.admin_bonus_tokens + case account when 'admin_bonus' then grant_tokens.amount else 0 end
    where s.user_id = grant_tokens.user_id;
    if not found then
      perform private.raise_user_not_found(user_id);
    end if;
  end if;
  update public.user_tokens u
  set tokens_purchased = u.tokens_purchased + case account when 'purchased' then grant_tokens.amount else 0 end
  where u.user_id = grant_tokens.user_id;
  if not found then
    perform private.raise_user_not_found(user_id);
  end if;
  perform set_config('scrip.posting', '', true);

  select b.total into v_total from public.get_token_balance(grant_tokens.user_id) b;
  if v_total > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded',
      format('Cannot give %s tokens: the total would be %s, at most 9000000000000000', amount, v_total)
    );
  end if;
end;
$$;

comment on function private.grant_tokens is 'Raises a column of a user''s total; the caller journals it.';

revoke execute on function private.grant_tokens from public;

-- Journals one balance column that was edited by hand.
--
-- Called by  journal_user_tokens, journal_subscriber, journal_token_request
-- Raises     balance_limit_exceeded

create or replace function private.journal_edit(
  user_id uuid,
  type public.token_transaction_type,
  account public.token_account,
  amount bigint,
  reference text default null
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_row public.token_transactions;
begin
  if user_id is null or amount = 0 then
    return;
  end if;
  v_row := private.write_transaction(user_id, type, account, amount, reference => journal_edit.reference);
  if amount > 0 and v_row.balance_after > 9000000000000000 then
    perform private.raise_error(
      'balance_limit_exceeded',
      format('The balance would be %s tokens, at most 9000000000000000', v_row.balance_after)
    );
  end if;
end;
$$;

comment on function private.journal_edit is 'Journals one balance column that was edited by hand.';

revoke execute on function private.journal_edit from public;

-- Journals edits of earned and bonus tokens by hand, and those that a waiting-list row brings along when it is linked
-- to a user.
--
-- Called by  a trigger of subscribers, for edits by hand

create or replace function private.journal_subscriber()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.user_id is not distinct from new.user_id then
    perform private.journal_edit(new.user_id, 'bonus', 'earned', new.earned_tokens - old.earned_tokens, new.id::text);
    perform private.journal_edit(
      new.user_id, 'bonus', 'admin_bonus', new.admin_bonus_tokens - old.admin_bonus_tokens, new.id::text
    );
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform private.journal_edit(old.user_id, 'bonus', 'earned', -old.earned_tokens, old.id::text);
    perform private.journal_edit(old.user_id, 'bonus', 'admin_bonus', -old.admin_bonus_tokens, old.id::text);
  end if;
  if tg_op <> 'DELETE' then
    perform private.journal_edit(new.user_id, 'bonus', 'earned', new.earned_tokens, new.id::text);
    perform private.journal_edit(new.user_id, 'bonus', 'admin_bonus', new.admin_bonus_tokens, new.id::text);
  end if;
  return null;
end;
$$;

comment on function private.journal_subscriber is 'Journals edits of earned and bonus tokens by hand.';

revoke execute on function private.journal_subscriber from public;

-- Journals requests as they begin or cease to count: approval, its reversal, another amount, deletion.
--
-- Called by  a trigger of token_requests

create or replace function private.journal_token_request()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
declare
  v_before bigint := 0;
  v_after bigint := 0;
begin
  if tg_op <> 'INSERT' and old.status = 'approved' then
    v_before := old.amount;
  end if;
  if tg_op <> 'DELETE' and new.status = 'approved' then
    v_after := new.amount;
  end if;
  if tg_op = 'UPDATE' and old.user_id = new.user_id then
    perform private.journal_edit(new.user_id, 'request', 'approved_requests', v_after - v_before, new.id::text);
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform private.journal_edit(old.user_id, 'request', 'approved_requests', -v_before, old.id::text);
  end if;
  if tg_op <> 'DELETE' then
    perform private.journal_edit(new.user_id, 'request', 'approved_requests', v_after, new.id::text);
  end if;
  return null;
end;
$$;

comment on function private.journal_token_request is 'Journals requests for tokens as they begin or cease to count.';

revoke execute on function private.journal_token_request from public;

-- Journals edits of user_tokens by hand: one row for each column that changed. What Scrip derives from other rows cannot
-- be edited here, and a row stays with its user.
--
-- Called by  a trigger of user_tokens, for edits by hand
-- Raises     invalid_amount, derived_column, balance_limit_exceeded

create or replace function private.journal_user_tokens()
returns trigger
language plpgsql
security definer -- whoever may edit the row may not write the journal
set search_path = ''
as $$
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
$$;

comment on function private.journal_user_tokens is 'Journals edits of user_tokens by hand.';

revoke execute on function private.journal_user_tokens from public;

-- Links the waiting-list row of a confirmed address to its user. The row that the user got at sign-up is folded into
-- it, so that no token granted in between is lost; the triggers of subscribers journal both. The sign-up entitlement is
-- the one of the waiting list.
--
-- Called by  subscribe_user

create or replace function private.link_subscriber(user_id uuid, email text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_own public.subscribers;
  v_waiting public.subscribers;
begin
  perform private.lock_user(user_id);
  select s.* into v_waiting
  from public.subscribers s
  where s.user_id is null and lower(s.email) = lower(link_subscriber.email)
  for update;
  if not found then
    return;
  end if;
  delete from public.subscribers s where s.user_id = link_subscriber.user_id returning s.* into v_own;
  update public.subscribers s
  set
    user_id = link_subscriber.user_id,
    display_name = coalesce(v_own.display_name, s.display_name),
    locale = coalesce(v_own.locale, s.locale),
    entitlement_granted_at = coalesce(v_own.entitlement_granted_at, s.entitlement_granted_at),
    earned_tokens = s.earned_tokens + coalesce(v_own.earned_tokens, 0),
    admin_bonus_tokens = s.admin_bonus_tokens + coalesce(v_own.admin_bonus_tokens, 0)
  where s.id = v_waiting.id;
end;
$$;

comment on function private.link_subscriber is 'Links the waiting-list row of a confirmed address to its user.';

revoke execute on function private.link_subscriber from public;

-- Makes the operations on one user's tokens wait for one another, in order of arrival, until the transaction ends.
-- An advisory lock is a fair queue; waiting for the row itself wakes all waiters at once. The row of user_tokens is
-- still the mutex against edits by hand, and the keys of the journal guard both.
--
-- Called by  every operation, first; charge_tokens, reserve_tokens and settle_tokens take the same lock inline

create or replace function private.lock_user(user_id uuid)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(user_id, 0));
end;
$$;

comment on function private.lock_user is 'Takes the queue of the user''s operations until the transaction ends.';

revoke execute on function private.lock_user from public;

-- Raises     insufficient_tokens

create or replace function private.raise_insufficient_tokens(have bigint, need bigint)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('insufficient_tokens', format('Insufficient tokens: you have %s, need %s', have, need));
end;
$$;

comment on function private.raise_insufficient_tokens is 'Refuses to spend more than the user has.';

revoke execute on function private.raise_insufficient_tokens from public;

-- Raises     operation_id_reused

create or replace function private.raise_operation_id_reused(operation_id text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error(
    'operation_id_reused',
    format('operation_id %s was used before with other arguments', operation_id),
    hint => 'Retry with the same arguments, or use a new operation_id.'
  );
end;
$$;

comment on function private.raise_operation_id_reused is 'Refuses an operation_id that stands for something else.';

revoke execute on function private.raise_operation_id_reused from public;

-- Raises     user_not_found

create or replace function private.raise_user_not_found(user_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('user_not_found', format('There is no user %s', user_id));
end;
$$;

comment on function private.raise_user_not_found is 'Refuses a user that does not exist.';

revoke execute on function private.raise_user_not_found from public;

-- The journal only grows, and only by operations.
--
-- Called by  triggers of token_transactions
-- Raises     journal_append_only

create or replace function private.refuse_journal_change()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever tries must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'journal_append_only',
    format('%s on the journal is refused: it is append-only', initcap(tg_op)),
    hint => 'Correct a balance with an operation, or by editing user_tokens: either is journalled.'
  );
  return null;
end;
$$;

comment on function private.refuse_journal_change is 'Refuses every change of the journal but what operations append.';

revoke execute on function private.refuse_journal_change from public;

-- Finds out why a user's row did not let an operation spend, and refuses it with the reason. Returns only when the
-- operation should try again: holds had expired and are swept, or an edit by hand came in between.
--
-- Called by  charge_tokens, reserve_tokens, when the id is not one of their own replays
-- Raises     user_not_found, insufficient_tokens, operation_id_reused

create or replace function private.refuse_spend(user_id uuid, amount bigint, operation_id text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_remaining bigint;
begin
  if exists (
    select 1 from public.token_transactions t
    where t.user_id = refuse_spend.user_id and t.operation_id = refuse_spend.operation_id
    union all
    select 1 from public.token_holds h
    where h.user_id = refuse_spend.user_id and h.operation_id = refuse_spend.operation_id
  ) then
    perform private.raise_operation_id_reused(operation_id);
  end if;

  perform private.sweep_holds(user_id);
  select u.journal_balance - u.tokens_reserved into v_remaining
  from public.user_tokens u
  where u.user_id = refuse_spend.user_id;
  if not found then
    perform private.raise_user_not_found(user_id);
  elsif v_remaining < amount then
    perform private.raise_insufficient_tokens(v_remaining, amount);
  end if;
end;
$$;

comment on function private.refuse_spend is 'Refuses an operation with the reason, or makes room for it.';

revoke execute on function private.refuse_spend from public;

-- Balances can be edited and deleted row by row, which is journalled; TRUNCATE would bypass that.
--
-- Called by  triggers of user_tokens, subscribers, token_requests, token_holds
-- Raises     forbidden

create or replace function private.refuse_truncate()
returns trigger
language plpgsql
security definer -- raise_error is private, and whoever truncates must get the reason
set search_path = ''
as $$
begin
  perform private.raise_error(
    'forbidden', format('%I cannot be truncated: balances depend on it', tg_table_name), hint => 'Delete rows instead.'
  );
  return null;
end;
$$;

comment on function private.refuse_truncate is 'Refuses TRUNCATE of a table that balances depend on.';

revoke execute on function private.refuse_truncate from public;

-- Schedules Scrip's jobs where pg_cron is installed; calling it again changes nothing.
--
-- Called by  the operator, once after the first deployment
-- Returns    the jobs scheduled, none without pg_cron

create or replace function private.schedule_jobs()
returns setof text
language plpgsql
volatile
set search_path = ''
as $$
begin
  if exists (select 1 from pg_catalog.pg_extension e where e.extname = 'pg_cron') then
    execute $job$
      select cron.schedule('scrip-expire-token-holds', '* * * * *', 'select public.expire_token_holds()')
    $job$;
    return next 'scrip-expire-token-holds';
  end if;
end;
$$;

comment on function private.schedule_jobs is 'Schedules Scrip''s jobs where pg_cron is installed.';

revoke execute on function private.schedule_jobs from public;

-- Answers for a hold that cannot be settled now: with the first result when it was settled with the same amount.
--
-- Called by  settle_tokens
-- Raises     hold_not_found, hold_not_active, operation_id_reused

create or replace function private.settled_before(user_id uuid, operation_id text, amount bigint)
returns table (transaction_id uuid, charged bigint, remaining bigint, overdrawn boolean, replayed boolean)
language plpgsql
stable
set search_path = ''
as $$
declare
  v_hold public.token_holds;
begin
  select h.* into v_hold
  from public.token_holds h
  where h.user_id = settled_before.user_id and h.operation_id = settled_before.operation_id;
  if not found then
    perform private.raise_error('hold_not_found', format('The user has no hold %s', operation_id));
  elsif v_hold.status = 'released' then
    perform private.raise_error('hold_not_active', format('The hold %s is released', operation_id));
  elsif v_hold.settled_amount <> amount then
    perform private.raise_operation_id_reused(operation_id);
  end if;
  return query
  select t.id, -t.amount, t.remaining_after, t.remaining_after < 0, true
  from public.token_transactions t
  where t.user_id = settled_before.user_id and t.operation_id = settled_before.operation_id;
end;
$$;

comment on function private.settled_before is 'The first result of a settled hold, or why it cannot be settled.';

revoke execute on function private.settled_before from public;

-- A new auth user gets a zero balance and a subscriber. E-mail addresses prove nothing until they are confirmed, so
-- a waiting-list row of the same address is linked only then.
--
-- Called by  triggers of auth.users

create or replace function private.subscribe_user()
returns trigger
language plpgsql
security definer -- the auth server may not write to Scrip's tables
set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.user_tokens (user_id) values (new.id);
    insert into public.subscribers (user_id, email) values (new.id, new.email);
    if new.email_confirmed_at is not null then
      perform private.link_subscriber(new.id, new.email);
    end if;
  else
    update public.subscribers s
    set email = coalesce(new.email, s.email)
    where s.user_id = new.id and s.email is distinct from new.email;
    if old.email_confirmed_at is null and new.email_confirmed_at is not null then
      perform private.link_subscriber(new.id, new.email);
    end if;
  end if;
  return null;
end;
$$;

comment on function private.subscribe_user is 'Gives a new auth user a balance and a subscriber, and follows the address.';

revoke execute on function private.subscribe_user from public;

create trigger scrip_subscribe_user
after insert on auth.users
for each row
execute function private.subscribe_user();

create trigger scrip_follow_user
after update of email, email_confirmed_at on auth.users
for each row
when (
  old.email is distinct from new.email
  or (old.email_confirmed_at is null and new.email_confirmed_at is not null)
)
execute function private.subscribe_user();

create trigger subscribers_journal
after insert or update or delete on public.subscribers
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_subscriber();

create trigger subscribers_no_truncate
before truncate on public.subscribers
for each statement
execute function private.refuse_truncate();

-- Ends the user's holds that are past their expiry and gives their tokens back. The caller holds the user's queue.
--
-- Called by  every operation, when holds_expire_at has passed; expire_token_holds
-- Returns    the number of holds ended

create or replace function private.sweep_holds(user_id uuid)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_due boolean;
  v_swept bigint;
begin
  select u.holds_expire_at <= now() into v_due
  from public.user_tokens u
  where u.user_id = sweep_holds.user_id
  for update;
  if v_due is not true then
    return 0;
  end if;

  perform set_config('scrip.posting', 'on', true);
  with swept as (
    update public.token_holds h
    set status = 'expired', ended_at = now()
    where h.user_id = sweep_holds.user_id and h.status = 'active' and h.expires_at <= now()
    returning h.amount
  ),
  freed as (
    select coalesce(sum(s.amount), 0)::bigint as amount, count(*) as holds from swept s
  )
  update public.user_tokens u
  set
    tokens_reserved = u.tokens_reserved - f.amount,
    holds_expire_at = coalesce(
      (
        select min(h.expires_at) from public.token_holds h
        where h.user_id = sweep_holds.user_id and h.status = 'active' and h.expires_at > now()
      ),
      'infinity'
    )
  from freed f
  where u.user_id = sweep_holds.user_id
  returning f.holds into v_swept;
  perform set_config('scrip.posting', '', true);
  return v_swept;
end;
$$;

comment on function private.sweep_holds is 'Ends a user''s holds that are past their expiry; returns how many.';

revoke execute on function private.sweep_holds from public;

create trigger token_holds_count
after insert or update or delete on public.token_holds
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.count_token_hold();

create trigger token_holds_no_truncate
before truncate on public.token_holds
for each statement
execute function private.refuse_truncate();

create trigger token_requests_journal
after insert or update or delete on public.token_requests
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_token_request();

create trigger token_requests_no_truncate
before truncate on public.token_requests
for each statement
execute function private.refuse_truncate();

create trigger token_transactions_insert_guard
before insert on public.token_transactions
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.refuse_journal_change();

create trigger token_transactions_append_only
before update or delete on public.token_transactions
for each row
execute function private.refuse_journal_change();

create trigger token_transactions_no_truncate
before truncate on public.token_transactions
for each statement
execute function private.refuse_journal_change();

-- Even where session_replication_role turns ordinary triggers off.
alter table public.token_transactions enable always trigger token_transactions_append_only;

alter table public.token_transactions enable always trigger token_transactions_no_truncate;

-- Operations journal what they do and say so by the setting scrip.posting; all other edits come from a person.
create trigger user_tokens_journal
after insert or update or delete on public.user_tokens
for each row
when (current_setting('scrip.posting', true) is distinct from 'on')
execute function private.journal_user_tokens();

-- Before an insert only: a trigger before updates would lock the row of every operation once more.
create trigger user_tokens_adopt_journal
before insert on public.user_tokens
for each row
execute function private.adopt_journal();

create trigger user_tokens_no_truncate
before truncate on public.user_tokens
for each statement
execute function private.refuse_truncate();

-- Appends one row to a user's journal and moves its head, after a balance column has changed. The charges write theirs
-- inline, in the same way.
--
-- Called by  add_tokens, refund_tokens, activate_access_code and, by journal_edit, the triggers on edits by hand

create or replace function private.write_transaction(
  user_id uuid,
  type public.token_transaction_type,
  account public.token_account,
  amount bigint,
  operation_id text default null,
  reference text default null,
  description text default null,
  metadata jsonb default null,
  actor text default null
)
returns public.token_transactions
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_row public.token_transactions;
begin
  perform private.sweep_holds(user_id);
  if not exists (select 1 from public.user_tokens u where u.user_id = write_transaction.user_id) then
    perform private.lock_user(user_id); -- there is no row to wait for
  end if;
  perform set_config('scrip.posting', 'on', true);
  with head as (
    update public.user_tokens u
    set
      journal_seq = u.journal_seq + 1,
      journal_balance = u.journal_balance + write_transaction.amount
    where u.user_id = write_transaction.user_id
    returning u.journal_seq as seq, u.journal_balance as balance, u.journal_balance - u.tokens_reserved as remaining
  ),
  orphan as ( -- the user's row is deleted: what is left is in the journal alone
    select
      coalesce(last.seq, 0) + 1 as seq,
      coalesce(last.balance_after, 0) + write_transaction.amount as balance,
      0::bigint as remaining
    from (select 1) one
    left join lateral (
      select t.seq, t.balance_after
      from public.token_transactions t
      where t.user_id = write_transaction.user_id
      order by t.seq desc
      limit 1
    ) last on true
    where not exists (select 1 from head)
  )
  insert into public.token_transactions as t (
    user_id, seq, type, account, amount, balance_after, remaining_after, operation_id, reference, description, metadata,
    actor
  )
  select
    write_transaction.user_id, h.seq, write_transaction.type, write_transaction.account, write_transaction.amount,
    h.balance, h.remaining, write_transaction.operation_id, write_transaction.reference, write_transaction.description,
    coalesce(write_transaction.metadata, '{}'),
    coalesce(write_transaction.actor, nullif(current_setting('role'), 'none'), session_user)
  from (select * from head union all select * from orphan) h
  returning t.* into v_row;
  perform set_config('scrip.posting', '', true);
  return v_row;
end;
$$;

comment on function private.write_transaction is 'Appends one row to a user''s journal.';

revoke execute on function private.write_transaction from public;

-- Makes the body of an error answer: {code, message, details, hint, status, retry_after}.
--
-- Called by  private.raise_error; functions that must commit what they refuse (activate_access_code)
-- Raises     nothing; a code outside the registry is a bug and becomes internal_error

create or replace function private.error_body(
  code text,
  message text,
  details text default null,
  hint text default null,
  retry_after_seconds integer default null
)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'code', coalesce(e.code, 'internal_error'),
    'message', message,
    'details', details,
    'hint', hint,
    'status', coalesce(e.http_status, 500),
    'retry_after', retry_after_seconds
  )
  from (select 1) one
  left join private.error_codes() e on e.code = error_body.code
$$;

comment on function private.error_body is 'The JSON of an error answer, its status taken from the registry.';

revoke execute on function private.error_body from public;

-- The registry of every error that Scrip answers with: SQL and the edge functions both raise only these.
--
-- Called by  private.error_body, the generator of functions/_shared/error_codes.ts, the test of docs/errors.md

create or replace function private.error_codes()
returns table (code text, http_status integer, meaning text)
language sql
immutable
set search_path = ''
as $$
  values
    ('invalid_request', 400, 'The request is not valid: a field is missing, unknown, of the wrong type or out of bounds.'),
    ('invalid_amount', 400, 'The amount is not a whole number of tokens from 1 to 9000000000000000.'),
    ('balance_limit_exceeded', 400, 'The balance would exceed 9000000000000000 tokens, the largest that JSON carries exactly.'),
    ('unauthorized', 401, 'The credentials are missing, malformed, expired or not signed by this project.'),
    ('insufficient_tokens', 403, 'The user has fewer tokens than the operation needs.'),
    ('forbidden', 403, 'The caller is known but may not do this.'),
    ('journal_append_only', 403, 'Journal rows are written by operations only, and are never changed or deleted.'),
    ('not_found', 404, 'There is no such route.'),
    ('user_not_found', 404, 'There is no such user.'),
    ('charge_not_found', 404, 'The user has no charge with this operation_id.'),
    ('hold_not_found', 404, 'The user has no hold with this operation_id.'),
    ('code_not_found', 404, 'There is no such access code.'),
    ('method_not_allowed', 405, 'The route exists, but not for this method.'),
    ('operation_id_reused', 409, 'This operation_id was used before with other arguments.'),
    ('hold_not_active', 409, 'The hold has ended in another way: it is settled or released.'),
    ('refund_exceeds_charge', 409, 'The refund is more than what is left of the charge.'),
    ('derived_column', 409, 'The column is kept by Scrip from other rows; change those instead.'),
    ('code_already_used', 409, 'The access code is used up, or this user has used it.'),
    ('code_expired', 410, 'The access code has expired.'),
    ('rate_limited', 429, 'Too many attempts; Retry-After says in how many seconds to try again.'),
    ('internal_error', 500, 'Scrip failed; the log has the cause under the request id.'),
    ('service_unavailable', 503, 'The database cannot be reached at the moment; nothing was done, or retry with the same operation_id.')
$$;

comment on function private.error_codes is 'Every error code with its HTTP status and meaning.';

revoke execute on function private.error_codes from public;

-- Raises an error of the registry, in the form that PostgREST turns into the HTTP answer.
--
-- Called by  every SQL function that refuses something
-- Source     PostgREST, "RAISE errors with HTTP status codes": SQLSTATE PGRST, message = body, detail = status and headers

create or replace function private.raise_error(
  code text,
  message text,
  details text default null,
  hint text default null,
  retry_after_seconds integer default null
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  v_body jsonb := private.error_body(code, message, details, hint, retry_after_seconds);
begin
  raise sqlstate 'PGRST' using
    message = (v_body - 'status' - 'retry_after')::text,
    detail = jsonb_build_object(
      'status', v_body -> 'status',
      'headers', jsonb_strip_nulls(jsonb_build_object('Retry-After', v_body ->> 'retry_after'))
    )::text;
end;
$$;

comment on function private.raise_error is 'Raises a registered error as PostgREST expects it: body, status and headers.';

revoke execute on function private.raise_error from public;
