create type public.purchase_kind as enum ('package', 'tokens', 'subscription', 'top_up', 'usd_deposit');

comment on type public.purchase_kind is 'What was paid for: a package, tokens for an amount, a period of a plan, an automatic top-up, a USD deposit.';
