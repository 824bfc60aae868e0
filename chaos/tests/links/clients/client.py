"""Every documented call of toxiproxy-python, against the API at argv[1]:argv[2], with a server that echoes at argv[3]."""

import socket
import sys
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


def expect(error, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error:
        return
    raise AssertionError("no %s" % error.__name__)


def echoed(listen, message=b"hello"):
    """What comes back, and how long it took in milliseconds."""
    host, port = listen.rsplit(":", 1)
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=10) as link:
        link.sendall(message)
        link.shutdown(socket.SHUT_WR)
        back = b""
        while True:
            more = link.recv(4096)
            if not more:
                return back, (time.monotonic() - started) * 1000
            back += more


host, port, upstream = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = Toxiproxy()
server.update_api_consumer(host, port)
assert server.running() is True
assert b'"2.12.0"' in server.version()

proxy = server.create(name="py", upstream=upstream)
assert proxy.name == "py" and proxy.enabled and proxy.upstream == upstream
assert echoed(proxy.listen)[0] == b"hello"
expect(ProxyExists, server.create, name="py", upstream=upstream)
off = server.create(name="py_off", upstream=upstream, listen="127.0.0.1:0", enabled=False)
assert off.enabled is False
assert {"py", "py_off"} <= set(server.proxies())
assert server.get_proxy("py").listen == proxy.listen
assert server.get_proxy("nobody") is None

proxy.add_toxic(type="latency", attributes={"latency": 200, "jitter": 0})
slow = proxy.get_toxic("latency_downstream")
assert (slow.type, slow.stream, slow.toxicity) == ("latency", "downstream", 1.0)
assert slow.attributes == {"latency": 200, "jitter": 0}
back, took = echoed(proxy.listen)
assert back == b"hello" and took >= 200, took
proxy.add_toxic(name="cut", type="limit_data", stream="upstream", toxicity=0.5, attributes={"bytes": 3})
assert set(proxy.toxics()) == {"latency_downstream", "cut"}
assert proxy.get_toxic("nobody") is None
expect(InvalidToxic, proxy.add_toxic, type="nonsense")
expect(ProxyExists, proxy.add_toxic, name="cut", type="noop")
assert proxy.destroy_toxic("cut") is True
expect(NotFound, proxy.destroy_toxic, "cut")

with proxy.down():
    expect(ConnectionRefusedError, echoed, proxy.listen)
assert proxy.enabled and echoed(proxy.listen)[0] == b"hello"
proxy.disable()
assert server.get_proxy("py").enabled is False
proxy.enable()
assert server.get_proxy("py").enabled is True

off.disable()
assert server.reset() is True
assert proxy.toxics() == {} and server.get_proxy("py_off").enabled is True
made = server.populate([
    {"name": "py", "upstream": upstream, "listen": proxy.listen},
    {"name": "py_more", "upstream": upstream, "listen": "127.0.0.1:0"},
])
assert [each.name for each in made] == ["py_more"], "what is there already is left alone"
assert server.destroy(made[0]) is True and server.destroy("no proxy") is False
assert off.destroy() is True
expect(NotFound, off.destroy)
server.destroy_all()
assert server.proxies() == {}
