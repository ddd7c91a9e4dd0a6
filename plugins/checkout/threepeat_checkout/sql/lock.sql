-- Quotes of the members who are locked already, or of whomever, and quotes of nobody, in the order of their ids.
SELECT id, member_id, known, state, content::text AS content, delivery_back, whole, times, order_id, expires_at,
       held_until
FROM checkout.quote
WHERE tenant_id = :tenant AND id = ANY(:ids::text[])
  AND (:members::bigint[] IS NULL OR member_id IS NULL OR member_id = ANY(:members::bigint[]))
ORDER BY id FOR UPDATE
