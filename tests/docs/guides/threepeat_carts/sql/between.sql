SELECT count(*) AS carts FROM carts.cart
WHERE tenant_id = :tenant AND left_at >= :first::date::timestamp AT TIME ZONE :zone::text
  AND left_at < :last::date::timestamp AT TIME ZONE :zone::text
