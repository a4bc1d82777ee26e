-- Where and how a model runs. A model that is not on offer any more answers too, since its runs may be under way:
-- start_model_run refuses it.
--
-- Called by  functions/run-model
-- Raises     model_not_found

create or replace function public.get_ai_model(slug text)
returns table (
  model text,
  kind public.ai_model_kind,
  provider text,
  provider_model text,
  provider_version text,
  base_url text,
  api_key_variable text,
  max_output_tokens integer,
  timeout_seconds integer,
  inline_seconds integer,
  active boolean
)
language plpgsql
stable
security definer -- raise_error is private
set search_path = ''
as $$
begin
  return query
  select
    m.slug, m.kind, m.provider, m.provider_model, m.provider_version, m.base_url, m.api_key_variable,
    m.max_output_tokens, m.timeout_seconds, coalesce((select s.run_inline_seconds from public.settings s), 30),
    m.active
  from public.ai_models m
  where m.slug = get_ai_model.slug;
  if not found then
    perform private.raise_model_not_found(slug);
  end if;
end;
$$;

comment on function public.get_ai_model is 'Where and how a model runs.';
revoke execute on function public.get_ai_model from public, anon, authenticated;
grant execute on function public.get_ai_model to service_role;
