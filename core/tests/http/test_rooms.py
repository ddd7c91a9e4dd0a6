"""A router is looked through for its own addresses only, and for all of them."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from threepeat.http.app import create_app
from threepeat.http.paths import Room


@pytest.fixture
def app():
    """An app with a room and a router that is none; both count how often they are looked through."""
    made = FastAPI()

    class Counting(APIRoute):
        looks = 0

        def matches(self, scope):
            type(self).looks += 1
            return super().matches(scope)

    room = Room(prefix="/v1", below="/v1/tea/", route_class=Counting)
    room.add_api_route("/tea/{cup}", lambda cup: cup)
    plain = APIRouter(prefix="/v1")
    plain.add_api_route("/coffee/{cup}", lambda cup: cup)
    made.include_router(room)
    made.include_router(plain)
    made.state.looks = lambda: Counting.looks
    return made


@pytest.fixture
def status(app):
    async def sent(path, root=""):
        statuses = []

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "root_path": root,
            "query_string": b"",
            "headers": [],
        }
        await app(scope, receive, send)
        return statuses[0]

    return sent


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_room_answers_what_lies_below_it_and_is_passed_by_for_the_rest(app, status):
    assert [await status(path) for path in ("/v1/coffee/a", "/v1/teapot", "/v2/tea/a")] == [200, 404, 404]
    assert app.state.looks() == 0
    assert await status("/v1/tea/a") == 200
    assert app.state.looks() > 0


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_proxys_prefix_is_no_part_of_it(status):
    assert await status("/shop/v1/tea/a", root="/shop") == 200


def test_every_route_lies_below_its_room(platform):
    for included in create_app(platform).routes:
        room = getattr(included, "original_router", None)
        if isinstance(room, Room):
            paths = [one.path for one in iter_route_contexts([included])]
            assert paths
            assert all(path.startswith(room.below) for path in paths), (room.below, paths)
