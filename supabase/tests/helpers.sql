-- What the tests share: the runner loads this into the session of each file, where it lives in pg_temp.

create function pg_temp.id(name text)
returns uuid
language sql
as $$select md5(name)::uuid$$;

-- Signs up a user with a confirmed address, and gives tokens.
create function pg_temp.new_user(name text, tokens bigint default null)
returns void
language plpgsql
as $$
begin
  insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id(name), name || '@example.com', now());
  if tokens is not null then
    perform public.add_tokens(pg_temp.id(name), tokens, 'add', 'seed');
  end if;
end;
$$;

-- What a statement answers: its rows, or why it is refused. With a role, it runs as that role, with the user's JWT.
create function pg_temp.answer(statement text, role text default 'none', name text default null)
returns text
language plpgsql
as $$
declare
  v_answer text;
  v_detail text;
begin
  if name is not null then
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id(name), 'role', role)::text, true);
  end if;
  perform set_config('role', role, true);
  if statement ~* '^\s*select|\mreturning\M' then
    execute format('with a as (%s) select string_agg(a::text, '' '') from a', statement) into v_answer;
    v_answer := coalesce(v_answer, 'no rows');
  else
    execute statement;
    get diagnostics v_answer = row_count;
  end if;
  perform set_config('role', 'none', true);
  perform set_config('request.jwt.claims', '', true);
  return v_answer;
exception
  when sqlstate 'PGRST' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return concat_ws(' ', v_detail::jsonb ->> 'status', sqlerrm::jsonb ->> 'code', sqlerrm::jsonb ->> 'message');
  when others then
    return concat_ws(' ', sqlstate, sqlerrm);
end;
$$;

-- A user's journal: type account amount = balance_after/remaining_after operation_id reference actor; …
create function pg_temp.journal(name text, after_seq bigint default 0)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s %s = %s/%s %s %s %s', t.type, t.account, t.amount, t.balance_after, t.remaining_after,
      coalesce(t.operation_id, '-'), coalesce(t.reference, '-'), t.actor
    ),
    '; ' order by t.seq
  )
  from public.token_transactions t
  where t.user_id = pg_temp.id(journal.name) and t.seq > after_seq
$$;

create function pg_temp.balance(name text)
returns text
language sql
as $$
  select format('total %s, used %s, reserved %s, remaining %s', b.total, b.used, b.reserved, b.remaining)
  from public.get_token_balance(pg_temp.id(balance.name)) b
$$;

-- Of everything that an operation may change.
create function pg_temp.fingerprint()
returns text
language sql
as $$
  select md5(concat(
    (select jsonb_agg(t order by t.user_id, t.seq) from public.token_transactions t),
    (select jsonb_agg(u order by u.user_id) from public.user_tokens u),
    (select jsonb_agg(s order by s.id) from public.subscribers s),
    (select jsonb_agg(r order by r.id) from public.token_requests r),
    (select jsonb_agg(h order by h.id) from public.token_holds h),
    (select jsonb_agg(c order by c.id) from public.access_codes c),
    (select jsonb_agg(v order by v.user_id, v.access_code_id) from public.access_code_activations v),
    (select jsonb_agg(b order by b.user_id) from public.usd_balances b),
    (select jsonb_agg(d order by d.user_id, d.seq) from public.usd_transactions d),
    (select jsonb_agg(p order by p.user_id, p.id) from public.purchases p),
    (select jsonb_agg(n order by n.user_id, n.id) from public.subscriptions n),
    (select jsonb_agg(a order by a.user_id) from public.auto_top_ups a)
  ))
$$;

-- A test that a statement, refused or not, changes nothing.
create function pg_temp.changes_nothing(statement text, description text)
returns text
language plpgsql
as $$
declare
  v_before text := pg_temp.fingerprint();
begin
  perform pg_temp.answer(statement);
  return extensions.is(pg_temp.fingerprint(), v_before, description);
end;
$$;
