-- Takes the tokens of a call that another backend made: settles the hold that it made for it, by the same operation_id, or
-- charges them without one. No tokens release the hold.
--
-- Called by  track_usage
-- Raises     what settle_tokens, release_tokens and charge_tokens raise

create or replace function private.settle_call(
  user_id uuid,
  operation_id text,
  tokens bigint,
  actor text,
  out remaining bigint,
  out overdrawn boolean
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  v_held boolean := exists (
    select 1 from public.token_holds h
    where h.user_id = settle_call.user_id and h.operation_id = settle_call.operation_id
  );
begin
  overdrawn := false;
  if tokens > 0 and v_held then
    select s.remaining, s.overdrawn into remaining, overdrawn
    from public.settle_tokens(user_id, operation_id, tokens, actor) s;
  elsif tokens > 0 then
    select c.remaining into remaining
    from public.charge_tokens(user_id, tokens, operation_id, actor => settle_call.actor) c;
  elsif v_held then
    select r.remaining into remaining from public.release_tokens(user_id, operation_id) r;
    overdrawn := remaining < 0;
  end if;
end;
$$;

comment on function private.settle_call is 'Takes the tokens of a call that another backend made.';
revoke execute on function private.settle_call from public;
