SELECT count(*) AS orders FROM checkout.quote
WHERE tenant_id = :tenant AND state = 'reserved' AND (member_id IS NULL OR member_id > 0)
