-- The version that the buyer accepts, and the order's nonce: the first that was given stays.
WITH first AS (
    SELECT o.nonce, o.derived FROM blindbox.box b
    JOIN blindbox.box o ON o.tenant_id = :tenant AND o.series_id = b.series_id AND o.order_id = b.order_id
    WHERE b.tenant_id = :tenant AND b.id = :id::bigint AND o.nonce IS NOT NULL ORDER BY o.ordinal LIMIT 1
)
UPDATE blindbox.box
SET pool = :version::text,
    nonce = CASE WHEN (SELECT derived FROM first) THEN NULL
                 ELSE coalesce((SELECT nonce FROM first), :nonce::text) END
WHERE tenant_id = :tenant AND id = :id::bigint AND state = 'waiting'
RETURNING id, member_id, series_id, order_id, ordinal, pool, nonce, source
