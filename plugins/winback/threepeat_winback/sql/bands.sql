SELECT count(*) FILTER (WHERE last_at > :asleep::timestamptz) AS awake,
       count(*) FILTER (WHERE last_at <= :asleep::timestamptz AND last_at > :lost::timestamptz) AS asleep,
       count(*) FILTER (WHERE last_at <= :lost::timestamptz) AS lost
FROM winback.activity WHERE tenant_id = :tenant AND bought AND member_id > 0
