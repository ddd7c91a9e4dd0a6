INSERT INTO welcome.gift (tenant_id, member_id, part, number, kind, amount, item, state, reward_key, order_id,
                          order_total, paid_at, taken, decided_at)
SELECT :tenant, member_id, part, number, kind, amount, item, state, reward_key, order_id, order_total, paid_at, 0,
       core.now()
FROM unnest(:members::bigint[], :parts::text[], :numbers::bigint[], :kinds::text[], :amounts::bigint[],
            :items::text[], :states::text[], :keys::text[], :orders::text[], :totals::bigint[], :times::timestamptz[])
     WITH ORDINALITY AS g (member_id, part, number, kind, amount, item, state, reward_key, order_id, order_total,
                           paid_at, n)
ORDER BY n
