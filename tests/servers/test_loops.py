# SPDX-License-Identifier: MIT
"""Event loops of languages: node (libuv) and Python's asyncio, serving HTTP by a few lines each.

Both are level-triggered. libuv defers its changes to the next wait, closes by syscall(), waits in
threads for files and wakes by an eventfd; asyncio keeps signals and its own wakeups in socket pairs.
"""
import os
import signal
import sys

from client import converse
from harness import Skip, Summary, find_program, need_descriptors, server_test
from web import (finish_upload, run_wrk, uploading, visiting, visiting_by_child, visiting_once,
                 write_bodies)

HERE = os.path.dirname(os.path.realpath(__file__))
UPLOAD = os.urandom(1_000_000)
WORKERS = 2


def start_node(bench, *arguments, environment=()):
    program = find_program("node", "nodejs")
    files = write_bodies(bench)
    return bench.start("node", lambda port: [
        *(["env", *environment] if environment else []), program,
        os.path.join(HERE, "serve.js"), str(port), files, *map(str, arguments)])


def start_asyncio(bench):
    files = write_bodies(bench)
    return bench.start("asyncio", lambda port: [
        sys.executable, os.path.join(HERE, "serve.py"), str(port), files])


def terminate(server):
    server.send_signal(signal.SIGTERM)
    server.expect_exit(0)


def serve_wrk(bench, server, connections, *headers):
    requests = run_wrk(bench, server, connections, *headers, seconds=1)
    terminate(server)
    server.expect_events(at_least=requests // 2, at_most=4 * requests + 10_000)


def serve_bodies(server):
    """From memory or file, through a child, kept alive, closed, and there and back."""
    names = ["small", "empty", "large"]
    converse(server.port, [visiting(names[n % 3:] + names[:n % 3]) for n in range(60)])
    converse(server.port, [visiting_once(names[n % 3]) for n in range(150)])
    converse(server.port, [visiting_by_child(["small", "large"]) for n in range(10)])
    converse(server.port, [uploading([UPLOAD, b"x", UPLOAD[n:]]) for n in range(20)])
    terminate(server)
    server.expect_events(at_least=60 * 3 + 150 + 10 * 2 + 20 * 3)


def serve_crowd(server):
    need_descriptors(3000)
    converse(server.port, [visiting(["small"] * 4) for _ in range(1000)], all_at_once=True)
    terminate(server)
    server.expect_events(at_least=1000 * 4 // 2)


@server_test
def node_serves_wrk_with_50_connections_kept_alive(bench):
    serve_wrk(bench, start_node(bench), 50)


@server_test
def node_serves_wrk_with_500_connections_closed_after_each_request(bench):
    serve_wrk(bench, start_node(bench), 500, "Connection: close")


@server_test
def node_sends_and_takes_every_body_complete_and_equal(bench):
    serve_bodies(start_node(bench))


@server_test
def node_serves_1000_connections_at_once(bench):
    serve_crowd(start_node(bench))


@server_test
def node_hands_connections_to_its_workers_over_a_socket(bench):
    """It sends them, and closes its own descriptor of each when the worker says it has it."""
    serve_bodies(start_node(bench, WORKERS))


@server_test
def node_registers_through_io_uring(bench):
    """What interpoll never saw being added is delivered all the same."""
    if bench.mode.name == "poll-thread":
        raise Skip("the source poll cannot deliver what io_uring registers; see the README")
    server = start_node(bench, environment=["UV_USE_IO_URING=1"])
    serve_bodies(server)
    if not bench.mode.is_native and not Summary(server.summary_path).count(
            "events of registrations made behind our back"):
        raise Skip("this node registers nothing through io_uring; version 20.3 and later do")


@server_test
def node_finishes_an_upload_after_it_is_told_to_end(bench):
    finish_upload(start_node(bench), signal.SIGTERM)


@server_test
def asyncio_serves_wrk_with_50_connections_kept_alive(bench):
    serve_wrk(bench, start_asyncio(bench), 50)


@server_test
def asyncio_serves_wrk_with_500_connections_closed_after_each_request(bench):
    serve_wrk(bench, start_asyncio(bench), 500, "Connection: close")


@server_test
def asyncio_sends_and_takes_every_body_complete_and_equal(bench):
    serve_bodies(start_asyncio(bench))


@server_test
def asyncio_serves_1000_connections_at_once(bench):
    serve_crowd(start_asyncio(bench))


@server_test
def asyncio_finishes_an_upload_after_it_is_told_to_end(bench):
    finish_upload(start_asyncio(bench), signal.SIGTERM)
