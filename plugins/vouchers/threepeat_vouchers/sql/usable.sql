-- Of each template the member's voucher that can be used now and ends first: the others take off the same.
SELECT v.id, v.member_id, v.state, v.valid_from, v.valid_until, t.form, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint AS room
FROM (
    SELECT DISTINCT ON (template_id) id, member_id, template_id, state, valid_from, valid_until FROM vouchers.voucher
    WHERE tenant_id = :tenant AND member_id = :member::bigint AND state = 'issued'
      AND valid_from <= core.now() AND valid_until > core.now()
    ORDER BY template_id, valid_until, id
) v
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = v.template_id
WHERE (t.form ->> 'kind' = 'delivery') = :delivery::boolean
ORDER BY v.valid_until, v.id LIMIT :most::bigint
