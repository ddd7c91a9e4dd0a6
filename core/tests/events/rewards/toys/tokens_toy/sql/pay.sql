WITH fresh AS (
    INSERT INTO tokens.payment (tenant_id, reference, member_id, amount)
    SELECT :tenant, g.* FROM unnest(:references::text[], :members::bigint[], :amounts::bigint[])
        AS g (reference, member_id, amount) ORDER BY reference
    ON CONFLICT DO NOTHING RETURNING member_id, amount
), due AS (
    SELECT member_id, sum(amount)::bigint AS amount FROM fresh GROUP BY member_id
), locked AS (
    SELECT p.member_id, d.amount FROM tokens.purse p JOIN due d USING (member_id)
    WHERE p.tenant_id = :tenant ORDER BY member_id FOR UPDATE OF p
), paid AS (
    UPDATE tokens.purse p SET held = p.held - l.amount FROM locked l
    WHERE p.tenant_id = :tenant AND p.member_id = l.member_id AND p.held >= l.amount RETURNING p.member_id
)
SELECT d.member_id, p.member_id IS NOT NULL AS paid FROM due d LEFT JOIN paid p USING (member_id)
