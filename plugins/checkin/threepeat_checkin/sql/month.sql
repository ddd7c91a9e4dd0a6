-- A member's days of a month, with what each brought.
SELECT c.day, c.make_up_month IS NOT NULL AS made_up,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(r.step, r.kind, r.amount, r.item, r.state) ORDER BY r.step), '[]')
        FROM checkin.reward r
        WHERE r.tenant_id = :tenant AND r.member_id = c.member_id AND r.day = c.day) AS rewards
FROM checkin.check_in c
WHERE c.tenant_id = :tenant AND c.member_id = :member AND c.day BETWEEN :first::date AND :last::date
ORDER BY c.day
