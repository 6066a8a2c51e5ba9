-- A product with numbered tenants: every id is unique within its tenant alone.
CREATE TABLE public.orgs (id integer PRIMARY KEY, uid uuid NOT NULL UNIQUE, name text NOT NULL);

CREATE TABLE public.members (
    org_id      integer NOT NULL REFERENCES public.orgs,
    org_uid     uuid NOT NULL,
    id          integer NOT NULL,
    last_active timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_uid, id)
);
CREATE INDEX ON public.members (org_id, last_active, id);
CREATE INDEX ON public.members (org_uid, last_active, id);

CREATE TABLE public.checks (
    org_id     integer NOT NULL,
    org_uid    uuid NOT NULL,
    key        integer NOT NULL,
    member_id  integer NOT NULL,
    outcome    text NOT NULL,
    mrz        text,
    PRIMARY KEY (org_id, key),
    UNIQUE (org_uid, key),
    FOREIGN KEY (org_id, member_id) REFERENCES public.members
);
CREATE INDEX ON public.checks (org_id, member_id);

CREATE TABLE public.photos (
    org_id   integer NOT NULL,
    org_uid  uuid NOT NULL,
    id       integer NOT NULL,
    check_id integer NOT NULL,
    path     text,
    pixels   bytea,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, check_id) REFERENCES public.checks
);
CREATE INDEX ON public.photos (org_id, check_id);

CREATE TABLE public.voice_prints (
    org_id    integer NOT NULL,
    org_uid   uuid NOT NULL,
    member_id integer NOT NULL,
    print     bytea NOT NULL,
    FOREIGN KEY (org_id, member_id) REFERENCES public.members
);
CREATE INDEX ON public.voice_prints (org_id, member_id);
