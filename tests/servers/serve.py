# SPDX-License-Identifier: MIT
"""A web server on asyncio's streams.

usage: python3 serve.py PORT DIRECTORY

  GET /NAME       the file
  GET /cat/NAME   the same, through a pipe from a child process
  POST /          what is sent comes back while it is sent

SIGTERM ends it with 0 when nobody is served any more.
"""
import asyncio
import os
import signal
import sys

PIECE = 65536


class Service:
    """What is served, to whom, and the end of it."""

    def __init__(self, directory):
        self.directory = directory
        self.conversations = set()  # tasks
        self.idle = set()  # writers to clients who ask nothing just now
        self.is_ending = False

    def end(self):
        """No further request; who is idle has been served."""
        self.is_ending = True
        for writer in self.idle:
            writer.close()

    async def converse(self, reader, writer):
        """One connection."""
        self.conversations.add(asyncio.current_task())
        try:
            is_kept = True
            while is_kept and not self.is_ending:
                is_kept = await self.answer_next(reader, writer)
        except ConnectionError:
            pass  # the client left; whether it may is not for us to say
        finally:
            self.conversations.remove(asyncio.current_task())
            writer.close()

    async def answer_next(self, reader, writer):
        """One request.  False if none shall follow."""
        self.idle.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        finally:
            self.idle.remove(writer)
        first, *fields = head.decode("latin-1").rstrip().split("\r\n")
        headers = dict(field.lower().split(": ", 1) for field in fields)
        method, path, _ = first.split(" ")
        is_last = headers.get("connection") == "close"
        if method == "POST":
            length = int(headers["content-length"])
            await self.send(writer, is_last, length, self.received(reader, length))
        else:
            kind, _, name = path.rpartition("/")
            file_path = os.path.join(self.directory, name)
            pieces = self.piped if kind == "/cat" else self.read
            await self.send(writer, is_last, os.path.getsize(file_path), pieces(file_path))
        return not is_last

    @staticmethod
    async def send(writer, is_last, length, pieces):
        """The head goes out with the first piece."""
        unsent = (b"HTTP/1.1 200 OK\r\n" + b"Connection: close\r\n" * is_last
                  + b"Content-Length: %d\r\n\r\n" % length)
        async for piece in pieces:
            writer.write(unsent + piece)
            unsent = b""
            await writer.drain()
        writer.write(unsent)

    @staticmethod
    async def received(reader, length):
        while length:
            piece = await reader.read(min(length, PIECE))
            if not piece:
                raise ConnectionResetError("the client left amid its request")
            length -= len(piece)
            yield piece

    @staticmethod
    async def read(path):
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                yield piece

    @staticmethod
    async def piped(path):
        child = await asyncio.create_subprocess_exec("cat", path, stdout=asyncio.subprocess.PIPE)
        while piece := await child.stdout.read(PIECE):
            yield piece
        await child.wait()


async def main(port, directory):
    """Serve until SIGTERM, and then those who are being served."""
    service = Service(directory)
    server = await asyncio.start_server(service.converse, "127.0.0.1", port, backlog=1024)
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    await terminated.wait()
    server.close()
    service.end()
    if service.conversations:
        await asyncio.wait(service.conversations)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
