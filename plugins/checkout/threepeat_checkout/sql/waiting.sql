-- What went back already of orders that cannot be honoured.
SELECT order_id, sum(amount)::bigint AS amount FROM checkout.refund
WHERE tenant_id = :tenant AND quote_id IS NULL AND order_id = ANY(:orders::text[])
GROUP BY order_id
