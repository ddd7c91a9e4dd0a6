-- Out of a limited number; a template that has too few left, or is given no more, does not change.
WITH locked AS (
    SELECT t.id, g.n FROM vouchers.template t
    JOIN unnest(:ids::bigint[], :numbers::bigint[]) AS g (id, n) USING (id)
    WHERE t.tenant_id = :tenant AND t.total IS NOT NULL
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE vouchers.template t SET issued = t.issued + l.n
FROM locked l WHERE t.tenant_id = :tenant AND t.id = l.id AND t.state IN ('active', 'paused') AND t.issued + l.n <= t.total
RETURNING t.id
