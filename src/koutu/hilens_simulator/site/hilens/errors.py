"""How the framework fails where something cannot be made."""

from koutu.hilens_simulator.kit import kit


class CreateError(Exception):
    """A camera, model, display or preprocessor could not be made."""

    def __init__(self, value: str):
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return repr(self.value)


def require_ready(what: str) -> None:
    """Raise CreateError before `init`."""
    if not kit().ready:
        raise CreateError(f"failed to create {what}: init comes first")
