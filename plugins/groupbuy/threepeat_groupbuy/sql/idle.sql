-- Seats that were let go long ago; `most` of them.
WITH gone AS (
    SELECT reservation FROM groupbuy.seat
    WHERE tenant_id = :tenant AND state = 'released' AND held_at <= core.now() - interval '90 days'
    ORDER BY held_at LIMIT :most::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM groupbuy.seat s USING gone g WHERE s.tenant_id = :tenant AND s.reservation = g.reservation
RETURNING s.reservation
