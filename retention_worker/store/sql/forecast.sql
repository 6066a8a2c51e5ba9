-- name: deferred
-- Accounts to look at again, by stretch: at a time, or once a cutoff reaches their activity. A newer
-- credential that was only remembered is left out: the account's own row is still to come.
WITH counted AS MATERIALIZED (
    SELECT (b.position - 1)::int AS position,
           (SELECT count(*) FROM {schema}.deferred d
             WHERE d.tenant_id = %(tenant)s AND d.scope = %(scope)s
               AND d.retry_at > b.after AND d.retry_at <= b.upto)
         + (SELECT count(*) FROM {schema}.deferred d
             WHERE d.tenant_id = %(tenant)s AND d.scope = %(scope)s AND d.retry_at IS NULL
               AND d.active_at > b.low AND d.active_at <= b.high
               AND NOT (d.reason = 'newer_credential' AND d.looked_at IS NULL)) AS accounts
      FROM unnest(%(afters)s::timestamptz[], %(uptos)s::timestamptz[],
                  %(lows)s::timestamptz[], %(highs)s::timestamptz[])
           WITH ORDINALITY AS b (after, upto, low, high, position)
)
SELECT position, accounts FROM counted WHERE accounts > 0;

-- name: on_hold
-- Due accounts that no time brings back: a hold without an end keeps them.
SELECT count(*) AS accounts FROM {schema}.deferred
 WHERE tenant_id = %(tenant)s AND scope = %(scope)s AND reason = 'hold' AND retry_at IS NULL;
