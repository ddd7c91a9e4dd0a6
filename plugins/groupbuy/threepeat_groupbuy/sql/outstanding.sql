-- What the tactic still owes: open groups, seats of orders that may still be paid, refunds that nobody answered.
SELECT (SELECT count(*) FROM groupbuy.team WHERE tenant_id = :tenant AND state = 'open') AS groups,
       (SELECT count(*) FROM groupbuy.seat
        WHERE tenant_id = :tenant AND state = 'held' AND member_id > 0) AS seats,
       (SELECT count(*) FROM groupbuy.refund
        WHERE tenant_id = :tenant AND state IN ('asked', 'failed') AND member_id > 0) AS refunds
