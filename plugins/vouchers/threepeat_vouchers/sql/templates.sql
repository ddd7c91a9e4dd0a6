-- Templates as they stand; `room` is what of a budget is left, null where there is none.
SELECT t.id, t.name, t.form, t.state, t.total - t.issued AS left_over, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint AS room
FROM vouchers.template t WHERE t.tenant_id = :tenant AND t.id = ANY(:ids::bigint[])
ORDER BY t.id
