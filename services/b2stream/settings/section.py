"""What all sections of settings share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """What all sections share: unknown keys are refused, because a misspelt setting must not pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
