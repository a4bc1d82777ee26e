-- The models on offer, for users.
--
-- Called by  functions/run-model

create or replace function public.list_ai_models()
returns table (
  slug text,
  name text,
  description text,
  kind public.ai_model_kind,
  price_mode public.price_mode,
  fixed_tokens bigint,
  max_output_tokens integer
)
language sql
stable
security invoker
set search_path = ''
as $$
  select m.slug, m.name, m.description, m.kind, m.price_mode, m.fixed_tokens, m.max_output_tokens
  from public.ai_models m
  where m.active
  order by m.kind, m.slug
$$;

comment on function public.list_ai_models is 'The models on offer.';
revoke execute on function public.list_ai_models from public, anon, authenticated;
grant execute on function public.list_ai_models to service_role;
