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
