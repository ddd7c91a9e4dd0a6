-- Groups that succeeded with too few real seats, virtual ones where there may be none, and full ones left open.
SELECT id, state, joined, virtual, least, fill FROM groupbuy.team
WHERE tenant_id = :tenant AND (
    (state = 'succeeded' AND (joined + virtual < least OR joined < 2
                              OR (virtual > 0 AND (fill IS NULL OR joined < fill))))
    OR (state <> 'succeeded' AND virtual > 0) OR (state = 'open' AND (joined >= size OR joined = 0))
)
