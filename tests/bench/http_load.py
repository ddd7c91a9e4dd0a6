"""A small HTTP/1.1 client that costs little itself: prepared requests over kept-alive connections."""

import asyncio
import time
from collections.abc import Iterator, Sequence


def request(path: str, key: str, body: bytes, content_type: str) -> bytes:
    """A whole POST request as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _one_connection(port: int, work: Iterator[bytes], statuses: dict[int, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for raw in work:
            writer.write(raw)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            statuses[status] = statuses.get(status, 0) + 1
    finally:
        writer.close()
        await writer.wait_closed()


async def _all(port: int, requests: Sequence[bytes], connections: int) -> dict[int, int]:
    statuses: dict[int, int] = {}
    work = iter(requests)
    await asyncio.gather(*(_one_connection(port, work, statuses) for _ in range(connections)))
    return statuses


def send(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Send all requests and return the seconds it took; every answer must be a 200."""
    began = time.perf_counter()
    statuses = asyncio.run(_all(port, requests, connections))
    seconds = time.perf_counter() - began
    if statuses != {200: len(requests)}:
        raise SystemExit(f"not every answer was a 200: {statuses}")
    return seconds
