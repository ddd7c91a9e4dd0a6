"""One condition over facts that serves every form that asks "for whom"."""

from pydantic import BaseModel, ConfigDict


class Audience(BaseModel):
    """Whom something is for; the empty audience is everybody."""

    model_config = ConfigDict(frozen=True, extra="forbid")
