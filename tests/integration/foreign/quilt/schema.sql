-- Types of every kind, blanked columns on the accounts and on the transactions, triggers around.
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE DOMAIN public.client_id AS text CHECK (VALUE ~ '^C[0-9]+$');
CREATE DOMAIN public.phone AS varchar(20) CHECK (VALUE ~ '^[+0-9 ]*$');
CREATE TYPE public.method AS ENUM ('face', 'iris', 'none');

CREATE TABLE public.clients (
    id          public.client_id PRIMARY KEY,
    brand       char(4) NOT NULL,
    email       ext.citext NOT NULL UNIQUE,
    nickname    ext.citext,
    full_name   text,
    name_length integer GENERATED ALWAYS AS (length(full_name)) STORED,
    phone       public.phone NOT NULL,
    avatar      bytea NOT NULL,
    tags        text[] NOT NULL,
    answers     boolean[],
    income      numeric(8,2) NOT NULL,
    home        point,
    area        circle,
    consent     boolean NOT NULL,
    preferred   public.method NOT NULL,
    version     integer NOT NULL,
    updated_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL
);
CREATE INDEX ON public.clients (brand, seen_at, id);
CREATE INDEX ON public.clients (brand, updated_at, id);

CREATE TABLE public.visits (
    id         uuid PRIMARY KEY,
    client_id  public.client_id NOT NULL REFERENCES public.clients,
    started_at timestamptz NOT NULL,
    verdict    text NOT NULL,
    method     public.method NOT NULL,
    iris       bytea NOT NULL,
    vector     real[],
    matrix     double precision[] NOT NULL,
    payloads   json[],
    document   varchar(60) UNIQUE,
    scan       text NOT NULL
);
CREATE INDEX ON public.visits (client_id);
