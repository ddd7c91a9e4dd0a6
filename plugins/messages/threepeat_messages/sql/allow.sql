UPDATE messages.allowance a SET day_sent = a.day_sent + g.number, week_sent = a.week_sent + g.number
FROM unnest(:members::bigint[], :numbers::bigint[]) AS g (member_id, number)
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id AND a.day = :day::date AND a.week = :week::date
  AND a.day_sent + g.number <= :per_day::bigint AND a.week_sent + g.number <= :per_week::bigint
RETURNING a.member_id
