"""The operators' pages, in the order in which their addresses are looked at."""

from threepeat_tenants.console.pages.operator import (
    connect,
    history,
    letters,
    onboarding,
    overview,
    people,
    plans,
    plugins,
    stores,
    usage,
)

# `/operator/stores/new` comes before `/operator/stores/{slug}`.
ROUTERS = (
    overview.router,
    onboarding.router,
    connect.router,
    stores.router,
    letters.router,
    usage.router,
    plans.router,
    plugins.router,
    people.router,
    history.router,
)
