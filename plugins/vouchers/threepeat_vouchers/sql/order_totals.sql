-- What was paid for orders with vouchers: by the order where it is known already, else by what holds them.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :reservations::text[], :totals::bigint[]) AS g (order_id, reservation, total)
), found AS (
    SELECT r.reservation, r.voucher_id, g.total FROM given g
    JOIN vouchers.redemption r ON r.tenant_id = :tenant AND r.order_id = g.order_id
    UNION
    SELECT r.reservation, r.voucher_id, g.total FROM given g
    JOIN vouchers.redemption r ON r.tenant_id = :tenant AND r.reservation = g.reservation
)
UPDATE vouchers.redemption r SET order_total = f.total FROM found f
WHERE r.tenant_id = :tenant AND r.reservation = f.reservation AND r.voucher_id = f.voucher_id
