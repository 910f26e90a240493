"""A proxy for a server's Unix socket that can swallow what its connections send."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

POSTGRES = ".s.PGSQL.5432"


class SwallowingProxy:
    """Forwards connections from a socket in `own_folder` to the server's in `folder`."""

    def __init__(self, folder, own_folder, name=POSTGRES):
        self.folder = str(own_folder)
        self._target = str(Path(folder) / name)
        self._swallowed = set()
        self._connections = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(own_folder / name))
        self._server.listen()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def swallow(self):
        """From now on, forward nothing on the connections that are open, in either direction."""
        self._swallowed.update(pair[0] for pair in self._connections)

    def stop(self):
        """Close everything."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for pair in self._connections:
            _shut(*pair)
        for thread in self._threads:
            thread.join(5)
        for one in (self._server, *(one for pair in self._connections for one in pair)):
            one.close()

    def _serve(self):
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            try:
                upstream.connect(self._target)
            except OSError:  # the server is away
                client.close()
                upstream.close()
                continue
            pair = client, upstream
            self._connections.append(pair)
            for source, target in (pair, pair[::-1]):
                thread = threading.Thread(
                    target=self._forward, args=(client, source, target), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _forward(self, client, source, target):
        with suppress(OSError):
            while content := source.recv(65536):
                if client not in self._swallowed:
                    target.sendall(content)
        _shut(source, target)


def _shut(*sockets):
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
