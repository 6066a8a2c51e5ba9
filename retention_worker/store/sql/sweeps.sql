-- name: begin
-- A sweep begins.
INSERT INTO {schema}.sweep (started_at, version, host)
VALUES (%(now)s, %(version)s, %(host)s) RETURNING id;

-- name: end
-- A sweep ends.
UPDATE {schema}.sweep SET finished_at = %(now)s, totals = %(totals)s::jsonb WHERE id = %(sweep)s;
