-- Two newcomers who are one person: whoever was welcomed first says what was promised.
WITH refunds AS (
    UPDATE welcome.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gifts AS (
    UPDATE welcome.gift SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gone AS (
    DELETE FROM welcome.newcomer WHERE tenant_id = :tenant AND member_id = :source RETURNING *
)
INSERT INTO welcome.newcomer AS n (tenant_id, member_id, registered_at, welcomed_at, second_kind, second_amount,
                                   second_item, second_until, first_order_id, first_order_at, second_order_id,
                                   second_order_at)
SELECT :tenant, :target, registered_at, welcomed_at, second_kind, second_amount, second_item, second_until,
       first_order_id, first_order_at, second_order_id, second_order_at
FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    registered_at = least(n.registered_at, excluded.registered_at),
    welcomed_at = least(n.welcomed_at, excluded.welcomed_at),
    (second_kind, second_amount, second_item, second_until) = (
        SELECT p.kind, p.amount, p.item, p.until
        FROM (VALUES (n.welcomed_at, n.second_kind, n.second_amount, n.second_item, n.second_until),
                     (excluded.welcomed_at, excluded.second_kind, excluded.second_amount, excluded.second_item,
                      excluded.second_until))
            AS p (welcomed_at, kind, amount, item, until)
        ORDER BY p.welcomed_at NULLS LAST LIMIT 1),
    (first_order_id, first_order_at) = (
        SELECT p.id, p.at FROM (VALUES (n.first_order_id, n.first_order_at),
                                       (excluded.first_order_id, excluded.first_order_at)) AS p (id, at)
        ORDER BY p.at NULLS LAST LIMIT 1),
    (second_order_id, second_order_at) = (
        SELECT p.id, p.at FROM (VALUES (n.second_order_id, n.second_order_at),
                                       (excluded.second_order_id, excluded.second_order_at)) AS p (id, at)
        ORDER BY p.at NULLS LAST LIMIT 1)
