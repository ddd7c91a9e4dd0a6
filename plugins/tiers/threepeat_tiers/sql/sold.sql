-- How much of some products orders hold, by their places in the log.
SELECT e.position, l.sku, sum(l.quantity)::bigint AS quantity
FROM core.event e CROSS JOIN LATERAL jsonb_to_recordset(e.data -> 'lines') AS l (sku text, quantity bigint)
WHERE e.tenant_id = :tenant AND e.position = ANY(:positions::bigint[]) AND l.sku = ANY(:skus::text[])
GROUP BY e.position, l.sku ORDER BY e.position, l.sku
