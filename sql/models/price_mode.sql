create type public.price_mode as enum ('fixed', 'metered');

comment on type public.price_mode is 'fixed: so many tokens a call. metered: by what the call cost at the provider.';
