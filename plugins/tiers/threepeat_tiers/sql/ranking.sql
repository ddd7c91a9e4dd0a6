SELECT cuts FROM tiers.ranking WHERE tenant_id = :tenant AND day = :day::date
