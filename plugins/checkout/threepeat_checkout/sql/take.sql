-- What quotes take off, written when they are held for the first time; later the member may have become known.
INSERT INTO checkout.taken (tenant_id, quote_id, number, member_id, plugin, rule, held, amount, shipping)
SELECT :tenant, quote_id, number, member_id, plugin, rule, held, amount, shipping
FROM unnest(:quotes::text[], :numbers::bigint[], :members::bigint[], :plugins::text[], :rules::text[],
            :held::boolean[], :amounts::bigint[], :shippings::bigint[])
     AS g (quote_id, number, member_id, plugin, rule, held, amount, shipping)
ORDER BY quote_id, number
ON CONFLICT (tenant_id, quote_id, number) DO UPDATE SET member_id = excluded.member_id
