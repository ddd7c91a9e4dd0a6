WITH given AS (
    SELECT member_id, sum(amount)::bigint AS amount FROM unnest(:members::bigint[], :amounts::bigint[])
        AS g (member_id, amount) GROUP BY member_id
), locked AS (
    SELECT p.member_id, g.amount FROM tokens.purse p JOIN given g USING (member_id)
    WHERE p.tenant_id = :tenant ORDER BY member_id FOR UPDATE OF p
), lines AS (
    INSERT INTO tokens.line (tenant_id, reference, member_id, amount)
    SELECT :tenant, 'back:' || gen_random_uuid(), member_id, -amount FROM locked
)
UPDATE tokens.purse p SET held = p.held - l.amount FROM locked l WHERE p.tenant_id = :tenant AND p.member_id = l.member_id
