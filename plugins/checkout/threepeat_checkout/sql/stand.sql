-- How locked quotes stand from now on; `was` is how they stood when they were locked.
UPDATE checkout.quote q
SET state = g.state, member_id = g.member_id, held_until = g.held_until, times = g.times, order_id = g.order_id,
    changed_at = core.now()
FROM unnest(:ids::text[], :was::text[], :states::text[], :members::bigint[], :held_until::timestamptz[],
            :times::bigint[], :orders::text[])
     AS g (id, was, state, member_id, held_until, times, order_id)
WHERE q.tenant_id = :tenant AND q.id = g.id AND q.state = g.was
RETURNING q.id
