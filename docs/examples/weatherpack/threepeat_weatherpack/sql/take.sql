-- An order takes one offer, the one that ends first; the state is the check.
UPDATE weatherpack.offer o SET state = 'taken', order_id = chosen.order_id
FROM (
    SELECT DISTINCT ON (given.order_id) given.order_id, p.warning, p.member_id
    FROM unnest(CAST(:members AS bigint[]), CAST(:orders AS text[]), CAST(:times AS timestamptz[]))
         AS given (member_id, order_id, paid_at)
    JOIN weatherpack.offer p ON p.tenant_id = :tenant AND p.member_id = given.member_id
     AND p.state = 'open' AND given.paid_at >= p.offered_at AND given.paid_at < p.until
    WHERE NOT EXISTS (SELECT FROM weatherpack.offer t WHERE t.tenant_id = :tenant AND t.order_id = given.order_id)
    ORDER BY given.order_id, p.until, p.warning
) AS chosen
WHERE o.tenant_id = :tenant AND o.warning = chosen.warning AND o.member_id = chosen.member_id AND o.state = 'open'
RETURNING o.member_id, o.warning, o.order_id
