SELECT (SELECT month_day FROM tiers.birthday WHERE tenant_id = :tenant AND member_id = :member::bigint) AS birthday,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('level', level, 'source', source, 'until', until)
                                  ORDER BY until, id), '[]'::jsonb)
        FROM tiers.floor WHERE tenant_id = :tenant AND member_id = :member::bigint AND state = 'open'
          AND until > core.now()) AS floors
