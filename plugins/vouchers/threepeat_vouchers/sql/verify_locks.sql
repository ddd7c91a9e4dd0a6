-- Vouchers whose state differs from that of the order which they name, and held orders of vouchers elsewhere.
SELECT v.id, v.state, r.state AS redemption FROM vouchers.voucher v
LEFT JOIN vouchers.redemption r
    ON r.tenant_id = :tenant AND r.voucher_id = v.id AND r.reservation = v.reservation
WHERE v.tenant_id = :tenant AND v.state IN ('locked', 'used', 'returned')
  AND r.state IS DISTINCT FROM CASE WHEN v.state = 'locked' THEN 'held' ELSE 'used' END
UNION ALL
SELECT r.voucher_id, coalesce(v.state, 'missing'), r.state FROM vouchers.redemption r
LEFT JOIN vouchers.voucher v ON v.tenant_id = :tenant AND v.id = r.voucher_id AND v.reservation = r.reservation
WHERE r.tenant_id = :tenant AND (v.id IS NULL OR v.state = 'issued')
  AND (r.state = 'held' OR (r.state = 'used' AND NOT r.whole))
