SELECT member_id, bought AND last_at <= :asleep::timestamptz AS sleeping,
       greatest(extract(epoch FROM core.now() - last_at)::bigint / 86400, 0) AS days
FROM winback.activity WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
