"""What tests of points share, whatever their store is made of."""

import pytest
from sqlalchemy import event


@pytest.fixture
def statements(platform):
    """Notes the statements that run while something is done: `statements(shop.serve)`."""

    def note(work):
        seen = []

        def keep(_connection, _cursor, statement, *_):
            seen.append(statement)

        event.listen(platform.database.app, "before_cursor_execute", keep)
        try:
            work()
        finally:
            event.remove(platform.database.app, "before_cursor_execute", keep)
        return seen

    return note
