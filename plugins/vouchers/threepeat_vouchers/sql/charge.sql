-- Out of a template's budget, with what came back to it since; it does not change if there is too little. The row is
-- locked before anything is compared: what another order left of it may be more than this statement first saw.
WITH locked AS (
    SELECT id, budget, taken FROM vouchers.template
    WHERE tenant_id = :tenant AND id = :template::bigint FOR NO KEY UPDATE
), back AS (
    DELETE FROM vouchers.credit c USING locked l WHERE c.tenant_id = :tenant AND c.template_id = l.id RETURNING c.amount
), counted AS (
    SELECT l.id, l.budget, l.taken - coalesce((SELECT sum(amount) FROM back), 0)::bigint + :amount::bigint AS taken
    FROM locked l
)
UPDATE vouchers.template t SET taken = n.taken FROM counted n
WHERE t.tenant_id = :tenant AND t.id = n.id AND (n.budget IS NULL OR n.taken <= n.budget)
RETURNING t.id
