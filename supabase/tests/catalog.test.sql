-- What holds for every object of public and private, read from the catalog: an object added later
-- is covered without a word here. Each failure lists the offenders.

begin;

select plan(19);

-- Partitions are made when they are needed: what holds for tables holds for this one.
select isnt(private.create_usage_month('2026-01-01'), null, '(a partition is made)');

create temporary view our_tables as
select c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relname, c.relrowsecurity
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'private') and c.relkind in ('r', 'p');

create temporary view our_relations as
select c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relname, c.relkind, c.reloptions
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f');

create temporary view our_functions as
select p.*, p.oid::regprocedure::text as name
from pg_catalog.pg_proc p
where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace);

create temporary view our_policies as
select
  t.name || ' "' || p.polname || '"' as name,
  t.name as table_name,
  p.polpermissive,
  p.polroles,
  case p.polcmd
    when 'r' then array['select']
    when 'a' then array['insert']
    when 'w' then array['update']
    when 'd' then array['delete']
    else array['select', 'insert', 'update', 'delete']
  end as commands,
  concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as expression
from pg_catalog.pg_policy p
join our_tables t on t.oid = p.polrelid;

-- Writes that a role may do, one row a column or, for the whole table, one with no column.
create temporary view our_writes as
select r.role, t.name as table_name, v.privilege, null::name as column_name
from our_relations t
cross join (values ('anon'), ('authenticated'), ('service_role')) r (role)
cross join (values ('insert'), ('update'), ('delete'), ('truncate')) v (privilege)
where has_table_privilege(r.role, t.oid, v.privilege)
union all
select r.role, t.name, v.privilege, a.attname
from our_relations t
join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
cross join (values ('anon'), ('authenticated'), ('service_role')) r (role)
cross join (values ('insert'), ('update')) v (privilege)
where has_column_privilege(r.role, t.oid, a.attnum, v.privilege)
  and not has_table_privilege(r.role, t.oid, v.privilege);

-- Row level security

select is_empty(
  $$select name from our_tables where not relrowsecurity$$,
  'every table has row level security'
);

select is_empty(
  $$
    select p.table_name, c.command, r.role::regrole
    from our_policies p
    cross join unnest(p.commands) c (command)
    cross join unnest(p.polroles) r (role)
    where p.polpermissive
    group by p.table_name, c.command, r.role
    having count(*) > 1
  $$,
  'a table has at most one policy for each command and role'
);

select is_empty(
  $$select name from our_policies where 0 = any (polroles)$$,
  'every policy is for named roles'
);

select is_empty(
  $$select name from our_policies where expression ~ '(?<!SELECT \(*)auth\.(uid|jwt|role|email)\(\)'$$,
  'policies say (select auth.uid()), which runs once a statement and not once a row'
);

select is_empty(
  $$
    select name
    from our_relations
    where relkind = 'v'
      and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on'], false)
  $$,
  'every view is security_invoker'
);

-- Functions

select is_empty(
  $$select name from our_functions where prosecdef and has_function_privilege('anon', oid, 'execute')$$,
  'anon executes no security definer function'
);

select is_empty(
  $$
    select name
    from our_functions
    where prosecdef and has_function_privilege('authenticated', oid, 'execute')
      and name <> all (array[]::text[])
  $$,
  'authenticated executes no security definer function but the listed'
);

select is_empty(
  $$
    select f.name
    from our_functions f
    cross join aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    where a.grantee = 0
  $$,
  'no function is executable by public'
);

select is_empty(
  $$select name, proconfig from our_functions where proconfig is distinct from array['search_path=""']$$,
  'every function has an empty search_path, and no other setting'
);

-- Keys

select is_empty(
  $$
    select t.name, k.conname
    from pg_catalog.pg_constraint k
    join our_tables t on t.oid = k.conrelid
    where k.contype = 'f'
      and not exists (
        select
        from pg_catalog.pg_index i
        cross join lateral (select (i.indkey::int2[])[0:cardinality(k.conkey) - 1] as columns) p
        where i.indrelid = k.conrelid and i.indisvalid and i.indpred is null
          and p.columns @> k.conkey and p.columns <@ k.conkey
      )
  $$,
  'every foreign key is the prefix of an index'
);

select is_empty(
  $$
    select t.name, i.indexrelid::regclass
    from our_tables t
    join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = 'user_id' and a.attnotnull
    join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisunique
    where t.schema = 'public' and a.attnum <> all ((i.indkey::int2[])[0:i.indnkeyatts - 1])
  $$,
  'a user''s rows live together: user_id is in every unique index of the tables that have it'
);

-- Privileges

select is_empty(
  $$
    select n.nspname, r.role
    from pg_catalog.pg_namespace n
    cross join (values ('anon')) r (role)
    where n.nspname = 'private' and has_schema_privilege(r.role, n.oid, 'usage, create')
  $$,
  'anon cannot look into private'
);

select is_empty(
  $$
    select name
    from our_relations
    where schema = 'private'
      and (
        has_table_privilege('anon', oid, 'select, insert, update, delete, truncate, references, trigger, maintain')
        or has_any_column_privilege('anon', oid, 'select, insert, update, references')
      )
  $$,
  'anon has no privilege on a table of private'
);

select is_empty(
  $$
    select role, table_name, privilege, column_name
    from our_writes
    where role in ('anon', 'authenticated')
    except
    values
      ('authenticated', 'public.token_requests', 'insert', 'user_id'::name),
      ('authenticated', 'public.token_requests', 'insert', 'amount'),
      ('authenticated', 'public.token_requests', 'insert', 'reason'),
      ('authenticated', 'public.subscribers', 'update', 'display_name'),
      ('authenticated', 'public.subscribers', 'update', 'locale'),
      ('authenticated', 'public.subscribers', 'update', 'usage_previews')
  $$,
  'clients write nothing but the listed columns'
);

select is_empty(
  $$
    select table_name, privilege, column_name
    from our_writes
    where role = 'service_role'
      and table_name in (
        'public.user_tokens', 'public.token_transactions', 'public.token_holds', 'public.usd_balances',
        'public.usd_transactions', 'public.purchases', 'public.subscriptions', 'public.api_tokens',
        'public.api_token_transactions', 'public.refill_transactions', 'public.products', 'public.notices',
        'public.ai_models', 'public.model_prices', 'public.currency_rates', 'public.runs', 'public.usage_events',
        'public.usage_daily'
      )
  $$,
  'service_role changes balances, journals, holds, purchases, API tokens, prices, runs and usage through operations only'
);

-- Comments, which admins read in the dashboard

select is_empty(
  $$
    select name from our_relations where obj_description(oid, 'pg_class') is null
    union all
    select r.name || '.' || a.attname
    from our_relations r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    where col_description(r.oid, a.attnum) is null
  $$,
  'every table, view and column has a comment'
);

select is_empty(
  $$select name from our_functions where obj_description(oid, 'pg_proc') is null$$,
  'every function has a comment'
);

select is_empty(
  $$
    select t.oid::regtype
    from pg_catalog.pg_type t
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where t.typnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and (t.typtype in ('e', 'd', 'r') or c.relkind = 'c')
      and obj_description(t.oid, 'pg_type') is null
  $$,
  'every type has a comment'
);

select * from finish();

rollback;
