-- What refill_token would answer, errors included. It changes nothing and holds nothing.
--
-- Called by  functions/refill
-- Returns    as refill_token, without an id
-- Raises     as refill_token

create or replace function public.preview_refill(user_id uuid, token_id uuid, mode text, amount text)
returns table (credits_added bigint, usd_spent text, fee text, rate text, credits bigint, usd_balance text)
language plpgsql
stable
security definer -- its parts are private
set search_path = ''
as $$
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
$$;

comment on function public.preview_refill is 'What refill_token would answer; changes nothing.';
revoke execute on function public.preview_refill from public, anon, authenticated;
grant execute on function public.preview_refill to service_role;
