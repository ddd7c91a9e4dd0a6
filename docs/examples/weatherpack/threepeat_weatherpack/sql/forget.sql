DELETE FROM weatherpack.weekend WHERE tenant_id = :tenant AND saturday < :before
