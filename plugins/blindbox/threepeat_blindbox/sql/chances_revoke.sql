WITH given AS (
    SELECT * FROM unnest(:keys::text[], :amounts::bigint[]) AS g (key, amount)
), mine AS (
    SELECT c.id, c.grant_key, c.number FROM blindbox.chance c JOIN given g ON c.grant_key = g.key
    WHERE c.tenant_id = :tenant AND c.state = 'open' ORDER BY c.id FOR NO KEY UPDATE OF c
), ranked AS (
    SELECT m.id, g.amount, row_number() OVER (PARTITION BY m.grant_key ORDER BY m.number DESC) AS place
    FROM mine m JOIN given g ON m.grant_key = g.key
)
UPDATE blindbox.chance c SET state = 'void' FROM ranked r
WHERE c.tenant_id = :tenant AND c.id = r.id AND r.place <= r.amount
