"""The guard against network access holds, and lets local sockets pass."""

import socket

import pytest


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_no_connection_leaves_the_machine(method):
    with (
        socket.socket() as sock,
        pytest.raises(RuntimeError, match="tried to connect"),
    ):
        getattr(sock, method)(("192.0.2.1", 80))


def test_local_connections_pass():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()
