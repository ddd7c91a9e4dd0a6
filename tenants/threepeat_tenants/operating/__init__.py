"""What operators do: plans, blueprints, onboarding, usage, oversight and suspension."""
