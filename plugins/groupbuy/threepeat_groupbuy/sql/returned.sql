-- How much of what the group price took off has come back; it only grows.
UPDATE groupbuy.seat
SET returned = CASE WHEN :whole::boolean THEN reduction ELSE greatest(returned, least(:amount::bigint, reduction)) END
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state NOT IN ('held', 'released')
RETURNING reservation, member_id, order_id, state, amount, reduction, returned, returned >= reduction AS complete
