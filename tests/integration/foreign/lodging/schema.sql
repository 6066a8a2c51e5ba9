-- A single-tenant product as an object-relational mapper makes it: mixed-case names in a schema of
-- its own, text ids, timestamps without time zone, attachments that belong to anything.
CREATE SCHEMA "KYC";

CREATE TABLE "KYC"."Users" (
    "id"             text PRIMARY KEY,
    "emailAddress"   varchar(120) NOT NULL,
    "fullName"       text NOT NULL,
    "phone%"         text,
    "taxCode"        char(12) UNIQUE,
    "profile"        jsonb NOT NULL DEFAULT '{}',
    "rawResponse"    json,
    "locale"         text NOT NULL,
    "lastSeenAt"     timestamp,
    "lastVerifiedAt" timestamp(6)
);
CREATE UNIQUE INDEX "index_Users_on_lower_email" ON "KYC"."Users" (lower("emailAddress"));
CREATE INDEX "index_Users_on_activity"
    ON "KYC"."Users" (GREATEST("lastSeenAt", "lastVerifiedAt"), "id");

CREATE TABLE "KYC"."FaceDescriptors" (
    "id"         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "userId"     text NOT NULL REFERENCES "KYC"."Users",
    "descriptor" double precision[] NOT NULL
);
CREATE INDEX ON "KYC"."FaceDescriptors" ("userId");

-- Attachments of users and of listings share one table, as "recordType" says.
CREATE TABLE "KYC"."Attachments" (
    "id"         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "recordType" text NOT NULL,
    "recordId"   text NOT NULL,
    "name"       text NOT NULL,
    "fileKey"    text
);
CREATE INDEX ON "KYC"."Attachments" ("recordId", "recordType");

CREATE TABLE "KYC"."Reviews" (
    "id"        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "userId"    text NOT NULL REFERENCES "KYC"."Users",
    "verdict"   text NOT NULL,
    "createdAt" timestamp NOT NULL
);
CREATE TABLE public.schema_migrations (version text PRIMARY KEY);
