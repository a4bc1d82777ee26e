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
