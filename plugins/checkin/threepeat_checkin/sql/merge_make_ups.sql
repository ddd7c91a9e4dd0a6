-- What the united calendar holds of made-up days is what was used of each month.
INSERT INTO checkin.make_up AS m (tenant_id, member_id, month, used)
SELECT :tenant, :target, make_up_month, count(*) FROM checkin.check_in
WHERE tenant_id = :tenant AND member_id = :target AND make_up_month IS NOT NULL
GROUP BY make_up_month
ON CONFLICT (tenant_id, member_id, month) DO UPDATE SET used = excluded.used
