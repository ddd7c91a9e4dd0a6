-- A member's vouchers that can be used now, those that end first at the beginning.
SELECT v.id, v.member_id, v.state, v.valid_from, v.valid_until, t.form, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint AS room, NULL::bigint AS batch_id, NULL::bigint AS number, NULL::text AS hash
FROM vouchers.voucher v JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = v.template_id
WHERE v.tenant_id = :tenant AND v.member_id = :member::bigint AND v.state = 'issued'
  AND v.valid_from <= core.now() AND v.valid_until > core.now()
ORDER BY v.valid_until, v.id LIMIT :most::bigint
