-- What became of the rewards that a day was to bring.
INSERT INTO checkin.reward (tenant_id, member_id, day, step, kind, amount, item, state)
SELECT :tenant, :member, :day::date, step, kind, amount, item, state
FROM unnest(:steps::bigint[], :kinds::text[], :amounts::bigint[], :items::text[], :states::text[])
     AS g (step, kind, amount, item, state)
