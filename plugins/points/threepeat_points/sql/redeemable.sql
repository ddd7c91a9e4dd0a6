-- What can be redeemed on a day, after an item in the order of prices, with how many of it a member can still redeem.
SELECT i.id, i.name, i.description, i.kind, i.price, i.audience, i.last_day,
       least(i.stock - i.redeemed, i.per_day - coalesce(d.redeemed, 0), i.per_member - coalesce(m.redeemed, 0))
           AS available
FROM points.item i
LEFT JOIN points.item_day d ON d.tenant_id = i.tenant_id AND d.item_id = i.id AND d.day = :day::date
LEFT JOIN points.item_member m ON m.tenant_id = i.tenant_id AND m.item_id = i.id AND m.member_id = :member::bigint
WHERE i.tenant_id = :tenant AND i.state = 'published'
  AND (i.first_day IS NULL OR i.first_day <= :day::date) AND (i.last_day IS NULL OR i.last_day >= :day::date)
  AND (:after::bigint = 0 OR (i.price, i.id) > (SELECT a.price, a.id FROM points.item a
                                                WHERE a.tenant_id = :tenant AND a.id = :after::bigint))
ORDER BY i.price, i.id LIMIT :most::bigint
