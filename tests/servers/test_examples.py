# SPDX-License-Identifier: MIT
"""The examples: a level-triggered server, an edge-triggered client."""
import os
import signal

from harness import check, server_test


def example(bench, name, *arguments):
    return [os.path.join(bench.mode.build_dir, "examples", name), *map(str, arguments)]


def start_echo_server(bench, mode=None):
    return bench.start("echo-server", lambda port: example(bench, "echo-server", "--port", port),
                       mode)


def echo(bench, server, connections, messages, size):
    said = bench.run_client(example(bench, "echo-client", "--port", server.port, "--connections",
                                    connections, "--messages", messages, "--size", size))
    check(f"{connections * messages} echoes, all right" in said, said)


@server_test
def the_echo_server_echoes_small_messages_of_1000_clients(bench):
    server = start_echo_server(bench)
    echo(bench, server, connections=1000, messages=50, size=256)
    server.send_signal(signal.SIGTERM)
    server.expect_exit(0)
    server.expect_events_for(50_000)


@server_test
def the_echo_server_keeps_back_pressure_with_large_messages(bench):
    server = start_echo_server(bench)
    echo(bench, server, connections=50, messages=40, size=65536)
    server.send_signal(signal.SIGTERM)
    server.expect_exit(0)
    server.expect_events(at_least=50 * 40)


@server_test
def the_edge_triggered_echo_client_gets_every_echo(bench):
    """The other way round: the client runs in the mode that is tested."""
    server = start_echo_server(bench, bench.mode.native())
    argv = example(bench, "echo-client", "--port", server.port, "--connections", 500,
                   "--messages", 50)
    said = bench.run_client(bench.mode.wrap(argv, bench.path("echo-client.summary")))
    check("25000 echoes, all right" in said, said)
    bench.mode.expect_events(bench.path("echo-client.summary"), at_least=25_000 // 3,
                             at_most=25_000 * 3)
