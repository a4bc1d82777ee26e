/** What `npm run bench` measures of usage. */
import type postgres from "postgres";
import type { Case } from "../bench.ts";

const DAYS = 30;
const MODELS = 3;

/** A user with so many calls behind them, spread over the last 30 days and 3 models, written as track_usage would have. */
export async function seedUsage(sql: postgres.Sql, user: string, calls: number): Promise<void> {
  await sql.begin(async (sql) => {
    await sql`select set_config('scrip.posting', 'on', true)`;
    await sql`
      select private.create_usage_month((now() - make_interval(months => n))::date)
      from generate_series(0, 1) as n`;
    await sql`
      insert into usage_events (
        user_id, occurred_at, operation_id, service, operation, model, input_tokens, cached_input_tokens, output_tokens,
        seconds, images, cost_usd, cost_eur, usd_eur, tokens_charged, success, response_time_ms, input_preview,
        output_summary
      )
      select
        ${user}, now() - make_interval(secs => n * 86400.0 * ${
      DAYS - 1
    } / ${calls}), 'seed-' || n, 'bench', 'chat',
        'model-' || n % ${MODELS}, 1000, 0, 500, 0, 0, 0.0135, 0.011475, 0.85, 0, true, 900, repeat('i', 100),
        repeat('o', 200)
      from generate_series(1, ${calls}::int) as n`;
    await sql`
      insert into private.usage_operations
      select user_id, operation_id, occurred_at, id from usage_events where user_id = ${user}`;
    await sql`
      insert into usage_daily
      select
        user_id, (occurred_at at time zone 'UTC')::date, service, model, operation, count(*), 0, 0, sum(input_tokens), 0,
        sum(output_tokens), 0, sum(cost_usd), sum(cost_eur), count(*), sum(response_time_ms)
      from usage_events
      where user_id = ${user}
      group by 1, 2, 3, 4, 5`;
  });
}

/** The floor's tables: a row a call and the sums of its day, with keys and nothing else. */
export async function createUsageFloor(sql: postgres.Sql): Promise<void> {
  await sql`
    create table floor_calls (
      id uuid primary key default gen_random_uuid(), user_id uuid not null, operation_id text not null, service text not null,
      operation text not null, model text not null, input_tokens bigint not null, output_tokens bigint not null,
      cost_usd numeric(20, 10) not null, cost_eur numeric(20, 10) not null, success boolean not null,
      response_time_ms integer not null, input_preview text, output_summary text,
      created_at timestamptz not null default now()
    )`;
  await sql`
    create table floor_sums (
      user_id uuid, day date, service text, model text, operation text, calls bigint not null, input_tokens bigint not null,
      output_tokens bigint not null, cost_usd numeric(30, 10) not null, cost_eur numeric(30, 10) not null,
      primary key (user_id, day, service, model, operation)
    ) with (fillfactor = 50)`;
  await sql`
    insert into model_prices (service, model, input_usd_per_million, output_usd_per_million)
    values ('bench', 'model-0', 3, 21)`;
}

const INPUT = "Write a haiku about a token that was never lost.";
const OUTPUT = "Counted once, not twice, the small coin rests in its row: journal closed at dusk.";

/** Recording a call, and reading what a user with few and with many calls spent. */
export function usageCases(
  sql: postgres.Sql,
  user: () => string,
  nextId: () => string,
  { few, many }: { few: string; many: string },
): Case[] {
  const summary = (id: string) => () => sql`select * from summarize_usage(${id})`;
  const recent = (id: string) => () => sql`select * from list_usage(${id})`;
  return [
    {
      name: "floor, a call",
      run: () =>
        sql`
        with call as (
          insert into floor_calls (
            user_id, operation_id, service, operation, model, input_tokens, output_tokens, cost_usd, cost_eur, success,
            response_time_ms, input_preview, output_summary
          )
          values (
            ${user()}, ${nextId()}, 'bench', 'chat', 'model-0', 1000, 500, 0.0135, 0.011475, true, 900, ${INPUT}, ${OUTPUT}
          )
          returning *
        )
        insert into floor_sums as s
        select user_id, current_date, service, model, operation, 1, input_tokens, output_tokens, cost_usd, cost_eur from call
        on conflict (user_id, day, service, model, operation) do update
        set
          calls = s.calls + 1, input_tokens = s.input_tokens + excluded.input_tokens,
          output_tokens = s.output_tokens + excluded.output_tokens, cost_usd = s.cost_usd + excluded.cost_usd,
          cost_eur = s.cost_eur + excluded.cost_eur`,
    },
    {
      name: "track usage",
      against: { name: "floor, a call", aim: 0.5 },
      run: () =>
        sql`
        select * from track_usage(
          ${user()}, ${nextId()}, 'bench', 'chat', 'model-0', 1000, 0, 500, response_time_ms => 900,
          input_preview => ${INPUT}, output_summary => ${OUTPUT}
        )`,
    },
    { name: "usage summary, 100 calls", run: summary(few) },
    {
      name: "usage summary, 1,000,000 calls",
      against: { name: "usage summary, 100 calls", aim: 0.83 },
      run: summary(many),
    },
    { name: "last ten calls of 100", run: recent(few) },
    {
      name: "last ten calls of 1,000,000",
      against: { name: "last ten calls of 100", aim: 0.83 },
      run: recent(many),
    },
  ];
}
