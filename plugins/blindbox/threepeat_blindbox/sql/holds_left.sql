-- Places for paid orders of a member who is being erased: their payments were not told, and nobody can any more.
UPDATE blindbox.hold SET state = 'released'
WHERE tenant_id = :tenant AND member_id = :member AND state = 'paid'
RETURNING member_id, series_id, day, boxes, money
