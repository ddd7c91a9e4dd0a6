-- What members have bought that runs, and what these orders have bought already.
SELECT member_id, level, until, order_id, state FROM tiers.floor
WHERE tenant_id = :tenant AND source = 'paid' AND state = 'open' AND member_id = ANY(:members::bigint[])
UNION
SELECT member_id, level, until, order_id, state FROM tiers.floor
WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
