-- Credentials in partitions: PARTITION is filled in by the test, by range of date or by list.
CREATE TABLE public.customer (
    id uuid PRIMARY KEY, region text NOT NULL, seen timestamptz NOT NULL
);
CREATE INDEX ON public.customer (region, seen, id);

CREATE TABLE public.session (
    id          uuid NOT NULL,
    started_on  date NOT NULL,
    customer_id uuid NOT NULL REFERENCES public.customer,
    decision    text,
    PRIMARY KEY (id, started_on)
) PARTITION BY RANGE (started_on);
CREATE TABLE public.session_2025 PARTITION OF public.session
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.session_other PARTITION OF public.session DEFAULT;
CREATE INDEX ON public.session (customer_id);
CREATE INDEX ON public.session (id);

CREATE TABLE public.capture (
    id          bigint NOT NULL,
    captured_on date NOT NULL,
    region      text NOT NULL,
    session_id  uuid NOT NULL,
    session_on  date NOT NULL,
    blob        text,
    sheet       text,
    extracted   jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, captured_on, region),
    FOREIGN KEY (session_id, session_on) REFERENCES public.session
) PARTITION BY /*PARTITION*/;
CREATE INDEX ON public.capture (session_id);

CREATE TABLE public.faceprint (
    capture_id bigint NOT NULL, captured_on date NOT NULL, region text NOT NULL, print bytea,
    FOREIGN KEY (capture_id, captured_on, region) REFERENCES public.capture
);
CREATE INDEX ON public.faceprint (capture_id);
