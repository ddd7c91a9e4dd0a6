-- Whoever gives out of a limited number comes one after another, the templates by id.
SELECT id FROM vouchers.template
WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND total IS NOT NULL
ORDER BY id FOR NO KEY UPDATE
