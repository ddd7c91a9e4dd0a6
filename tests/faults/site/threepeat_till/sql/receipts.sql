WITH given AS (
    SELECT * FROM unnest(:members::bigint[], :counts::bigint[]) AS g (member_id, n)
), locked AS (
    SELECT member_id FROM till.purse
    WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) ORDER BY member_id FOR UPDATE
)
UPDATE till.purse p SET receipts = p.receipts + g.n FROM given g JOIN locked USING (member_id)
WHERE p.tenant_id = :tenant AND p.member_id = g.member_id
