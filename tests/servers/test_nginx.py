# SPDX-License-Identifier: MIT
"""nginx: a master, two workers by fork, everything edge-triggered but the listener."""
import os
import re
import signal

from client import converse
from harness import (check, children_of, find_program, need_descriptors, server_test, wait_for)
from web import (finish_download, run_wrk, visiting, visiting_once, visitors_of,
                 wait_for_responses, write_bodies)

WORKERS = 2

CONFIG = """
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
{user}
events {{
    worker_connections 9000;
    {events}
}}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    keepalive_timeout 600;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} {listen};
        root {directory}/html;
    }}
}}
"""


def start_nginx(bench, events="", listen="", mode=None):
    program = find_program("nginx", "nginx-light")
    write_bodies(bench)

    def make_argv(port):
        with open(bench.path("nginx.conf"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(workers=WORKERS, directory=bench.directory, port=port,
                                     user="user root;" if os.geteuid() == 0 else "",
                                     events=events, listen=listen))
        return [program, "-c", bench.path("nginx.conf"), "-e", bench.path("error.log")]

    server = bench.start("nginx", make_argv, mode)
    wait_for(lambda: len(children_of(server.pid)) == WORKERS, "the start of the workers")
    return server


def quit_gracefully(bench, server):
    """QUIT ends it with 0, and nothing went wrong inside that clients did not notice."""
    server.send_signal(signal.SIGQUIT)
    server.expect_exit(0)
    with open(bench.path("error.log"), encoding="utf-8", errors="replace") as file:
        bad = [line for line in file if re.search(r"\[(alert|crit|emerg|error)\]", line)]
    check(not bad, "nginx's error log:\n" + "".join(bad[:10]))


def serve_wrk(bench, connections, *headers, events="", listen=""):
    server = start_nginx(bench, events, listen)
    requests = run_wrk(bench, server, connections, *headers)
    quit_gracefully(bench, server)
    server.expect_events(at_least=requests // 2, at_most=4 * requests + 10_000)


@server_test
def nginx_serves_wrk_with_50_connections_kept_alive(bench):
    serve_wrk(bench, 50)


@server_test
def nginx_serves_wrk_with_1000_connections_kept_alive(bench):
    serve_wrk(bench, 1000)


@server_test
def nginx_serves_wrk_with_50_connections_closed_after_each_request(bench):
    serve_wrk(bench, 50, "Connection: close")


@server_test
def nginx_serves_wrk_with_1000_connections_closed_after_each_request(bench):
    serve_wrk(bench, 1000, "Connection: close")


@server_test
def nginx_serves_wrk_with_accept_mutex_on(bench):
    serve_wrk(bench, 50, "Connection: close", events="accept_mutex on;")


@server_test
def nginx_serves_wrk_with_multi_accept_on(bench):
    serve_wrk(bench, 50, "Connection: close", events="multi_accept on;")


@server_test
def nginx_serves_wrk_with_one_listener_a_worker(bench):
    serve_wrk(bench, 50, "Connection: close", listen="reuseport")


@server_test
def nginx_sends_every_body_complete_and_equal(bench):
    server = start_nginx(bench)
    names = ["small", "empty", "large", "small", "large", "empty"]
    converse(server.port, [visiting(names[n % 3:] + names[:n % 3]) for n in range(100)])
    converse(server.port, [visiting_once(names[n % 3]) for n in range(900)])
    quit_gracefully(bench, server)
    server.expect_events(at_least=100 * 6 + 900)


@server_test
def nginx_serves_8000_connections_at_once(bench):
    need_descriptors(9200)
    server = start_nginx(bench)
    converse(server.port, [visiting(["small"] * 4) for _ in range(8000)], all_at_once=True)
    quit_gracefully(bench, server)
    server.expect_events_for(8000 * 4)


@server_test
def nginx_replaces_workers_that_are_killed(bench):
    """The events of those that had no time to say goodbye are counted, too."""
    server = start_nginx(bench)
    for _ in range(WORKERS):
        converse(server.port, [visiting(["small"] * 4) for _ in range(200)])
        workers = children_of(server.pid)
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: len(now := children_of(server.pid)) == WORKERS and workers[0] not in now,
                 "the new worker")
    converse(server.port, [visiting(["small"] * 4) for _ in range(200)])
    server.send_signal(signal.SIGQUIT)
    server.expect_exit(0)
    server.expect_events_for((WORKERS + 1) * 200 * 4)


@server_test
def nginx_finishes_a_download_after_quit(bench):
    server = start_nginx(bench)
    finish_download(server, signal.SIGQUIT)
    server.expect_exit(0)


@server_test
def nginx_loses_no_request_while_it_reloads(bench):
    server = start_nginx(bench)
    with visitors_of(server.port) as visitors:
        for _ in range(5):
            reload_workers(server, visitors)
    check(sum(visitor.nr_reconnects for visitor in visitors), "the reloads closed no connection")
    quit_gracefully(bench, server)
    server.expect_events(at_least=sum(visitor.nr_responses for visitor in visitors) // 3)


def reload_workers(server, visitors):
    """HUP, and wait until new workers alone are left and everybody had answers of them."""
    old = set(children_of(server.pid))
    server.send_signal(signal.SIGHUP)

    def has_new_workers():
        now = set(children_of(server.pid))
        return len(now) == WORKERS and not now & old

    wait_for(has_new_workers, "the exchange of the workers")
    wait_for_responses(visitors, "after a reload")
