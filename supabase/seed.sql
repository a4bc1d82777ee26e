-- What a new project begins with: packages, plans and settings. Rows that are there stay as they are.

insert into public.settings default values on conflict do nothing;

insert into public.token_packages (id, name, description, tokens, bonus_tokens, price_cents, currency)
values
  ('018f0000-0000-7000-8000-000000000001', 'Starter', '100 tokens', 100, 0, 100, 'eur'),
  ('018f0000-0000-7000-8000-000000000002', 'Small', '500 tokens and 50 on top', 500, 50, 500, 'eur'),
  ('018f0000-0000-7000-8000-000000000003', 'Medium', '1,000 tokens and 200 on top', 1000, 200, 1000, 'eur'),
  ('018f0000-0000-7000-8000-000000000004', 'Early bird', '2,500 tokens and 1,500 on top', 2500, 1500, 2500, 'eur'),
  ('018f0000-0000-7000-8000-000000000005', 'Large', '10,000 tokens and 3,000 on top', 10000, 3000, 10000, 'eur')
on conflict do nothing;

insert into public.subscription_plans (
  tier, name, description, monthly_cost, currency, fixed_cost, credits_included, bonus_credits, multiplier, purchase_rate
)
values
  ('basic', 'Basic', '1,000 tokens a month', 9.00, 'eur', 3.00, 1000, 100, 1, 1),
  ('standard', 'Standard', '4,000 tokens a month, calls at nine tenths', 29.00, 'eur', 7.00, 4000, 500, 0.9, 1.1),
  ('premium', 'Premium', '15,000 tokens a month, calls at eight tenths', 99.00, 'eur', 19.00, 15000, 2000, 0.8, 1.25)
on conflict do nothing;

insert into public.products (id, name, description, value_credits_usd)
values ('018f0000-0000-7000-8000-000000000101', 'API credits', 'Credits for calls of the API, a cent each', 0.01)
on conflict do nothing;

insert into public.ai_models (
  slug, name, description, kind, provider, provider_model, price_mode, fixed_tokens, markup, active
)
values
  ('demo-text', 'Demo text', 'Made-up text, without a key', 'text', 'demo', 'text', 'fixed', 1, 1, true),
  ('demo-image', 'Demo image', 'A drawn SVG image, without a key', 'image', 'demo', 'image', 'fixed', 5, 1, true),
  ('demo-embedding', 'Demo embedding', 'Made-up vectors, without a key', 'embedding', 'demo', 'embedding', 'fixed', 1, 1, true),
  ('gpt-4o-mini', 'GPT-4o mini', 'OpenAI; by what a call costs, and half as much again', 'text', 'openai', 'gpt-4o-mini', 'metered', null, 1.5, false),
  ('flux-schnell', 'FLUX.1 schnell', 'Images, by Replicate', 'image', 'replicate', 'black-forest-labs/flux-schnell', 'fixed', 5, 1, false)
on conflict do nothing;

-- The demo provider asks for nothing; these make its calls look like others.
insert into public.model_prices (service, model, valid_from, input_usd_per_million, output_usd_per_million, usd_per_image)
values
  ('demo', 'text', '2026-01-01 00:00:00+00', 0.5, 1.5, null),
  ('demo', 'embedding', '2026-01-01 00:00:00+00', 0.1, null, null),
  ('demo', 'image', '2026-01-01 00:00:00+00', null, null, 0.003)
on conflict do nothing;
