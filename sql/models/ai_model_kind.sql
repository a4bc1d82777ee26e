create type public.ai_model_kind as enum ('text', 'image', 'video', 'embedding');

comment on type public.ai_model_kind is 'What a model makes.';
