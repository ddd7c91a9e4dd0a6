"""Style, scripts and images: addressed by their content, so that a browser keeps them for good."""

import gzip
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

from threepeat.tenancy.errors import NotFound

STATIC = Path(__file__).parent / "static"
SERVED = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, with its content type; licences stay in the folder."""

FOREVER = "public, max-age=31536000, immutable"

router = APIRouter()


@dataclass(frozen=True)
class Asset:
    """A static file.

    Attributes:
        name: Its path in the static folder, such as `vendor/htmx.js`.
        address: Where it is served; another content has another address.
    """

    name: str
    address: str

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return STATIC / self.name

    @property
    def media_type(self) -> str:
        """Its content type."""
        return SERVED[self.file.suffix]

    @cached_property
    def zipped(self) -> bytes:
        """Compressed once, when somebody first asks."""
        return gzip.compress(self.file.read_bytes(), 9, mtime=0)


class Assets:
    """The files of the static folder as they were when the process began."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._by_name: dict[str, Asset] = {}
        for file in sorted(folder.rglob("*")):
            if file.suffix in SERVED and file.is_file():
                name = file.relative_to(folder).as_posix()
                mark = sha256(file.read_bytes()).hexdigest()[:16]
                self._by_name[name] = Asset(name, f"/static/{mark}/{name}")
        self._by_address = {asset.address: asset for asset in self._by_name.values()}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def address(self, name: str) -> str:
        """Where a file is served; empty if it was not installed."""
        found = self._by_name.get(name)
        return found.address if found else ""

    def at(self, address: str) -> Asset:
        """The file at an address.

        Raises:
            NotFound: There is none, or it has changed.
        """
        found = self._by_address.get(address)
        if found is None:
            raise NotFound("there is no such file")
        return found


@lru_cache(maxsize=1)
def installed() -> Assets:
    """What this process serves."""
    return Assets()


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
def static(request: Request, path: str) -> Response:
    """Serve a static file."""
    asset = installed().at(f"/static/{path}")
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.zipped, media_type=asset.media_type, headers=headers)
    return Response(asset.file.read_bytes(), media_type=asset.media_type, headers=headers)
