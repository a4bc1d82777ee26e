-- The lines of an invoice that are for a plan, in either of the shapes that Stripe sends. The plan is known by its product;
-- where the product is another (an older price), by the subscription's metadata.
--
-- Called by  apply_invoice

create or replace function private.invoice_lines(invoice jsonb)
returns table (
  tier text,
  is_proration boolean,
  amount_cents bigint,
  period_start timestamptz,
  period_end timestamptz
)
language sql
stable
set search_path = ''
as $$
  select
    p.tier,
    l.is_proration,
    (l.line ->> 'amount')::bigint,
    to_timestamp((l.line #>> '{period,start}')::bigint),
    to_timestamp((l.line #>> '{period,end}')::bigint)
  from (
    select
      j.line,
      coalesce(
        j.line #>> '{parent,subscription_item_details,proration}',
        j.line #>> '{parent,invoice_item_details,proration}',
        j.line ->> 'proration',
        'false'
      )::boolean as is_proration,
      coalesce(j.line #>> '{parent,type}' = 'invoice_item_details', j.line ->> 'type' = 'invoiceitem', false) as is_item,
      coalesce(j.line #>> '{pricing,price_details,product}', private.stripe_id(j.line #> '{price,product}')) as product
    from jsonb_path_query(invoice, 'lax $.lines.data[*]') j (line)
  ) l
  join public.subscription_plans p
    on p.stripe_product_id = l.product
      or not l.is_proration
        and p.tier = private.stripe_metadata(invoice) ->> 'tier'
        and not exists (select 1 from public.subscription_plans o where o.stripe_product_id = l.product)
  where l.is_proration or not l.is_item -- what an operator adds to an invoice is no period of a plan
$$;

comment on function private.invoice_lines is 'The lines of an invoice that are for a plan.';
revoke execute on function private.invoice_lines from public;
