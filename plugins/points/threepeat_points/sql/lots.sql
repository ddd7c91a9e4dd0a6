-- What reversals may touch: lots with points left, those that have expired since, and the lots of the refunded
-- orders and revoked rewards.
SELECT id, member_id, order_id, reward_key, order_total, order_refunded, minor_units, rate, granted, reversed,
       remaining, expires_at, factor_numerator, factor_denominator, waiting, unlocks_at, expired
FROM points.lot
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
  AND (remaining > 0 OR (expired > 0 AND expires_at > :since::timestamptz)
       OR order_id = ANY(:orders::text[]) OR reward_key = ANY(:keys::text[]))
ORDER BY expires_at NULLS LAST, earned_at, id
