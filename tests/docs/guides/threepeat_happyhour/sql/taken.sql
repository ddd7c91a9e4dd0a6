SELECT taken FROM happyhour.day WHERE tenant_id = :tenant AND day = :day
