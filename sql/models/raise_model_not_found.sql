-- Refuses a model that is not there, or not on offer.
--
-- Called by  get_ai_model, start_model_run
-- Raises     model_not_found

create or replace function private.raise_model_not_found(slug text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  perform private.raise_error('model_not_found', format('There is no model %s', coalesce(left(slug, 100), 'without a name')));
end;
$$;

comment on function private.raise_model_not_found is 'Refuses a model that is not there, or not on offer.';
revoke execute on function private.raise_model_not_found from public;
