-- Since when every call is kept: one row, once a month has been dropped. Months before it are not begun again, or their
-- calls and sums would disagree.

create table private.usage_retention (
  id boolean not null default true,
  kept_since date not null,
  constraint usage_retention_pkey primary key (id),
  constraint usage_retention_id_check check (id)
);

comment on table private.usage_retention is 'Since when every call is kept.';
comment on column private.usage_retention.id is 'Always true: there is one row.';
comment on column private.usage_retention.kept_since is 'The first day of the first month that was never dropped.';

alter table private.usage_retention enable row level security;

revoke all on table private.usage_retention from public;
