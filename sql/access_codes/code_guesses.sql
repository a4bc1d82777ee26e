-- Wrong guesses of access codes, counted a minute at a time for each user and each address.

create table private.code_guesses (
  subject text not null,
  guesses integer not null,
  window_started_at timestamptz not null,
  constraint code_guesses_pkey primary key (subject)
);

create index code_guesses_window_idx on private.code_guesses (window_started_at);

comment on table private.code_guesses is 'Wrong guesses of access codes in the current minute of a user or an address.';
comment on column private.code_guesses.subject is 'user:<id> or address:<address>.';
comment on column private.code_guesses.guesses is 'Wrong guesses since window_started_at.';
comment on column private.code_guesses.window_started_at is 'When the minute began: with its first wrong guess.';

alter table private.code_guesses enable row level security;
