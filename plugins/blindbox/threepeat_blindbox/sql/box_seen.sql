-- The version that the buyer accepts, and the order's nonce: the first that was given stays. `last` says that no other
-- box of the order waits.
WITH first AS (
    SELECT o.nonce, o.derived FROM blindbox.box b
    JOIN blindbox.box o ON o.tenant_id = :tenant AND o.series_id = b.series_id AND o.order_id = b.order_id
    WHERE b.tenant_id = :tenant AND b.id = :id::bigint AND o.nonce IS NOT NULL ORDER BY o.ordinal LIMIT 1
)
UPDATE blindbox.box b
SET pool = :version::text,
    nonce = CASE WHEN (SELECT derived FROM first) THEN NULL
                 ELSE coalesce((SELECT nonce FROM first), :nonce::text) END
WHERE b.tenant_id = :tenant AND b.id = :id::bigint AND b.state = 'waiting'
RETURNING b.id, b.member_id, b.series_id, b.order_id, b.ordinal, b.pool, b.nonce, b.source,
          NOT EXISTS (SELECT FROM blindbox.box o
                      WHERE o.tenant_id = :tenant AND o.series_id = b.series_id AND o.order_id = b.order_id
                        AND o.id <> b.id AND o.state = 'waiting') AS last
