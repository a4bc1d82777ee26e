-- What create-checkout wrote on a Stripe object, through which everything that was bought is known. An invoice has it from
-- its subscription.

create or replace function private.stripe_metadata(object jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
  return coalesce(
    case object ->> 'object'
      when 'invoice' then coalesce(
        object #> '{parent,subscription_details,metadata}',
        object #> '{subscription_details,metadata}'
      )
      else object -> 'metadata'
    end,
    '{}'
  );
end;
$$;

comment on function private.stripe_metadata is 'What create-checkout wrote on a Stripe object.';
revoke execute on function private.stripe_metadata from public;
