-- What members can use now.
SELECT member_id, count(*) AS usable FROM vouchers.voucher
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND state = 'issued'
  AND valid_from <= core.now() AND valid_until > core.now()
GROUP BY member_id
