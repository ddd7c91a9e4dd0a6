-- Of groups in which both of two members have paid, the later seat.
SELECT DISTINCT ON (a.team_id) a.reservation, a.team_id FROM groupbuy.seat a
JOIN groupbuy.seat b ON b.tenant_id = :tenant AND b.team_id = a.team_id AND b.state = 'joined' AND b.place < a.place
WHERE a.tenant_id = :tenant AND a.state = 'joined'
  AND (a.member_id, b.member_id) IN ((:source::bigint, :target::bigint), (:target::bigint, :source::bigint))
ORDER BY a.team_id, a.place DESC
