-- Offers that an order brought which was not paid while the offer lived, or by a member who was not asleep.
SELECT id, order_id FROM winback.offer
WHERE tenant_id = :tenant
  AND ((order_id IS NOT NULL AND (paid_at BETWEEN offered_at AND until) IS NOT TRUE) OR slept_since >= offered_at)
