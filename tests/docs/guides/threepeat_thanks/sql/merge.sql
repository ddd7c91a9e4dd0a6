-- An order that both have reported is one person's order, and one of the two gifts is enough to know of.
WITH moved AS (
    DELETE FROM thanks.gift WHERE tenant_id = :tenant AND member_id = :source RETURNING order_id, kind, key
)
INSERT INTO thanks.gift (tenant_id, order_id, member_id, kind, key)
SELECT :tenant, order_id, :target, kind, key FROM moved
ON CONFLICT (tenant_id, order_id, member_id) DO NOTHING
