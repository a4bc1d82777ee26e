-- What a user's automatic top-ups cost in this calendar month (UTC), those under way included.

create or replace function private.top_up_spent_cents(user_id uuid, currency text)
returns bigint
language sql
stable
set search_path = ''
as $$
  select coalesce(sum(t.amount_cents), 0)::bigint
  from private.top_ups t
  where t.user_id = top_up_spent_cents.user_id
    and t.currency = top_up_spent_cents.currency
    and t.status <> 'failed'
    and t.created_at >= date_trunc('month', now(), 'UTC')
$$;

comment on function private.top_up_spent_cents is 'What a user''s automatic top-ups cost in this calendar month.';
revoke execute on function private.top_up_spent_cents from public;
