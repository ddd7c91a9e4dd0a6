SELECT item FROM stall.stock s
WHERE tenant_id = :tenant AND initial <> remaining + (
    SELECT coalesce(sum(take - returned), 0) FROM stall.hold h
    WHERE h.tenant_id = :tenant AND h.item = s.item AND h.state <> 'free'
)
