-- Lots that hold more, after reversals, than what is left of their order's money earns.
SELECT order_id, granted, reversed FROM points.lot
WHERE tenant_id = :tenant AND order_id IS NOT NULL
  AND granted - reversed > div((greatest(order_total - order_refunded, 0) / minor_units * rate)::numeric
                               * factor_numerator, factor_denominator)
