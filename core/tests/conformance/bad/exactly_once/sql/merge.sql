DELETE FROM forgetful.tally WHERE tenant_id = :tenant AND member_id = :source AND member_id <> :target
