def test_x(platform): print([p.id for p in platform.registry], platform.registry.quarantined); assert 0
