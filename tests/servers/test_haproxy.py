# SPDX-License-Identifier: MIT
"""haproxy in front of nginx: a master that re-executes itself, two threads with an eventpoll each.

On reload the new worker gets the listeners over a socket from the old one, which still watches
them; watches are taken away when a descriptor is handed back to a pool, and trusted to vanish
with their file when it is closed.
"""
import signal
import socket

from client import converse
from harness import (check, children_of, find_program, need_descriptors, server_test,
                     wait_for)
from test_nginx import quit_gracefully, start_nginx
from web import (finish_download, run_wrk, visiting, visiting_once, visitors_of,
                 wait_for_responses)

CONFIG = """
global
    master-worker
    nbthread 2
    maxconn 4200
    expose-experimental-directives
    {tuning}
    stats socket {directory}/haproxy.sock level admin expose-fd listeners
defaults
    mode http
    timeout connect 20s
    timeout client 600s
    timeout server 600s
    {defaults}
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server nginx 127.0.0.1:{behind} {server}
"""


def start_haproxy(bench, behind, tuning="", defaults="", server=""):
    """In front of the server that is given."""
    program = find_program("haproxy", "haproxy")

    def make_argv(port):
        with open(bench.path("haproxy.cfg"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(directory=bench.directory, port=port, behind=behind.port,
                                     tuning=tuning, defaults=defaults, server=server))
        return [program, "-W", "-S", bench.path("master.sock"), "-f", bench.path("haproxy.cfg")]

    started = bench.start("haproxy", make_argv)
    wait_for(lambda: is_master_in_its_loop(bench), "the start of haproxy's master")
    return started


def is_master_in_its_loop(bench):
    """It forks the worker and executes itself anew; a signal that comes before it is in its loop,
    where it answers on its own socket, is lost."""
    try:
        return ask(bench.path("master.sock"), "show proc") != ""
    except (FileNotFoundError, ConnectionError):
        return False


def ask(path, command):
    """What haproxy answers on one of its own sockets."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as answer:
            return answer.read().strip()


def end_softly(bench, server):
    """USR1 ends it with 0.  Told to end while streams do, haproxy 2.6 may crash at its very end,
    natively too: only the one that asks must be left."""
    wait_for(lambda: len(ask(bench.path("haproxy.sock"), "show sess").splitlines()) == 1,
             "the end of all streams")
    server.send_signal(signal.SIGUSR1)
    server.expect_exit(0)


def stop_both(bench, server, nginx):
    end_softly(bench, server)
    quit_gracefully(bench, nginx)


def serve_wrk(bench, connections, *headers, **config):
    """Two events a request: one from each side."""
    nginx = start_nginx(bench)
    server = start_haproxy(bench, nginx, **config)
    requests = run_wrk(bench, server, connections, *headers, seconds=1)
    stop_both(bench, server, nginx)
    server.expect_events(at_least=requests, at_most=8 * requests + 20_000)
    nginx.expect_events(at_least=requests // 2)


@server_test
def haproxy_serves_wrk_with_50_connections_kept_alive(bench):
    serve_wrk(bench, 50)


@server_test
def haproxy_serves_wrk_with_500_connections_closed_after_each_request_on_both_sides(bench):
    serve_wrk(bench, 500, "Connection: close", defaults="option http-server-close")


@server_test
def haproxy_serves_wrk_with_50_connections_edge_triggered(bench):
    serve_wrk(bench, 50, tuning="tune.fd.edge-triggered on")


@server_test
def haproxy_passes_every_body_complete_and_equal(bench):
    """Large bodies go from socket to socket by splice through a pipe; ten connections serve all."""
    nginx = start_nginx(bench)
    server = start_haproxy(bench, nginx, defaults="option splice-response", server="maxconn 10")
    names = ["small", "empty", "large", "small", "large", "empty"]
    converse(server.port, [visiting(names[n % 3:] + names[:n % 3]) for n in range(100)])
    converse(server.port, [visiting_once(names[n % 3]) for n in range(300)])
    stop_both(bench, server, nginx)
    server.expect_events(at_least=2 * (100 * 6 + 300))


@server_test
def haproxy_serves_2000_connections_at_once(bench):
    need_descriptors(5000)
    nginx = start_nginx(bench)
    server = start_haproxy(bench, nginx)
    converse(server.port, [visiting(["small"] * 4) for _ in range(2000)], all_at_once=True)
    stop_both(bench, server, nginx)
    server.expect_events(at_least=2000 * 4, at_most=8 * 2000 * 4 + 20_000)


@server_test
def haproxy_finishes_a_download_after_a_soft_stop(bench):
    nginx = start_nginx(bench)
    server = start_haproxy(bench, nginx)
    finish_download(server, signal.SIGUSR1)
    server.expect_exit(0)
    quit_gracefully(bench, nginx)


@server_test
def haproxy_loses_no_request_while_it_reloads(bench):
    nginx = start_nginx(bench)
    server = start_haproxy(bench, nginx)
    with visitors_of(server.port) as visitors:
        for _ in range(3):
            reload_worker(server, visitors)
    check(sum(visitor.nr_reconnects for visitor in visitors), "the reloads closed no connection")
    stop_both(bench, server, nginx)
    server.expect_events(at_least=sum(visitor.nr_responses for visitor in visitors))


def reload_worker(server, visitors):
    """USR2, and wait until a new worker alone is left and everybody had answers of it."""
    old = set(children_of(server.pid))
    server.send_signal(signal.SIGUSR2)

    def has_new_worker():
        now = set(children_of(server.pid))
        return len(now) == 1 and not now & old

    wait_for(has_new_worker, "the exchange of the worker")
    wait_for_responses(visitors, "after a reload")
