INSERT INTO tally.visits AS v (tenant_id, day, visits) VALUES (:tenant, core.now()::date, :visits)
ON CONFLICT (tenant_id, day) DO UPDATE SET visits = v.visits + excluded.visits
