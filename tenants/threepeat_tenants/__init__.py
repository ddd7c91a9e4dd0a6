"""What people do to a tenant: onboarding, keys, switches."""
