-- What members may take, with how many this member took, in all and today.
SELECT t.id, t.form, t.total - t.issued AS left_over, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint AS room, coalesce(k.taken, 0) AS taken, CASE WHEN k.day = :day::date THEN k.today ELSE 0 END AS today
FROM vouchers.template t
LEFT JOIN vouchers.taking k ON k.tenant_id = :tenant AND k.template_id = t.id AND k.member_id = :member::bigint
WHERE t.tenant_id = :tenant AND t.state = 'active' AND t.claimable AND t.id < :before::bigint
ORDER BY t.id DESC LIMIT :most::bigint
