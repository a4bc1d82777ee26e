create type public.token_hold_status as enum ('active', 'settled', 'released', 'expired');

comment on type public.token_hold_status is 'A hold is active until it is settled, released or expired.';
