-- Paid seats without a group whose money was not asked back, and money asked back of seats that have one.
SELECT s.reservation, s.state, r.reason FROM groupbuy.seat s
LEFT JOIN groupbuy.refund r ON r.tenant_id = :tenant AND r.reservation = s.reservation
WHERE s.tenant_id = :tenant AND (
    (s.state = 'failed' AND r.reason IS NULL)
    OR (s.state = 'left' AND r.reason IS NULL AND s.returned < s.reduction)
    OR (s.state IN ('held', 'joined') AND r.reason IS NOT NULL)
    OR (s.state = 'succeeded' AND r.reason <> 'difference') OR (s.state <> 'succeeded' AND r.reason = 'difference')
)
