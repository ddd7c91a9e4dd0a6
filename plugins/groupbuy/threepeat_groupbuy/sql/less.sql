-- Of a payment that came too late something went back before it; rounded up.
UPDATE groupbuy.refund r
SET amount = (s.amount * (s.reduction - s.returned) + s.reduction - 1) / s.reduction,
    state = CASE WHEN s.returned >= s.reduction THEN 'refunded' ELSE r.state END
FROM groupbuy.seat s
WHERE r.tenant_id = :tenant AND r.reservation = :reservation::text AND r.times = 0 AND r.state = 'asked'
  AND s.tenant_id = :tenant AND s.reservation = r.reservation AND s.reduction > 0
