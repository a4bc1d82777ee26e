create schema private;

comment on schema private is 'What clients never see: helpers, trigger functions, rate limits. Not exposed over REST.';
