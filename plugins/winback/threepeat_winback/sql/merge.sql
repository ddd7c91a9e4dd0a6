-- One person was active when either was, and was woken as often as both.
WITH refunds AS (
    UPDATE winback.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), offers AS (
    UPDATE winback.offer SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gone AS (
    DELETE FROM winback.activity WHERE tenant_id = :tenant AND member_id = :source RETURNING *
)
INSERT INTO winback.activity AS a (tenant_id, member_id, last_at, bought, looked_at, offers)
SELECT :tenant, :target, last_at, bought, looked_at, offers FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    last_at = greatest(a.last_at, excluded.last_at), bought = a.bought OR excluded.bought,
    looked_at = greatest(a.looked_at, excluded.looked_at), offers = a.offers + excluded.offers
