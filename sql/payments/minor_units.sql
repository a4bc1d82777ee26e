-- How many of a currency's smallest units make one unit of it, as Stripe counts.
--
-- Source     Stripe's documentation, "Supported currencies": zero-decimal and three-decimal currencies

create or replace function private.minor_units(currency text)
returns integer
language sql
immutable
set search_path = ''
as $$
  select case
    when currency in (
      'bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf'
    ) then 1
    when currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
    else 100
  end
$$;

comment on function private.minor_units is 'How many of a currency''s smallest units make one unit of it.';
revoke execute on function private.minor_units from public;
