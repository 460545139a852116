"""The addresses of this machine, those first that phones are likely to reach, and the sockets that listen there."""

import errno
import ipaddress
import os
import re
import socket

import psutil

from classroom.live.errors import LiveError

LOOPBACK = "127.0.0.1"
# Networks inside of this machine, and tunnels: no phone is in them.
_VIRTUAL = re.compile(
    r"docker|br-|veth|virbr|vmnet|vmware|vbox|virtualbox|vethernet|wsl|tun|tap|utun|wg|ppp|tailscale|zt|cni|flannel", re.I
)


def candidates() -> list[str]:
    """The IPv4 addresses of this machine in its networks, the likeliest first."""
    usual, stats = _of_the_usual_way(), psutil.net_if_stats()
    found = []
    for name, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if entry.family == socket.AF_INET and stats[name].isup:
                address = ipaddress.ip_address(entry.address)
                if not address.is_loopback and not address.is_link_local:
                    found.append((bool(_VIRTUAL.match(name)), entry.address != usual, not address.is_private, entry.address))
    return [address for *_, address in sorted(found)]


def _of_the_usual_way() -> str:
    """The address from which this machine would call a stranger. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return ""


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets at the host's address and at this machine's own, where the presenter's page stays off the network.

    If the address is none of this machine, as behind a port that is led here, they listen everywhere.

    Raises:
        LiveError: the port is in use, or the host is not known.
    """
    try:
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError):
        raise LiveError(
            f"{host!r} is no address that this machine knows. Leave --host out, or name an address such as 192.168.1.5."
        ) from None
    try:
        return [_bound(one, port) for one in dict.fromkeys((address, LOOPBACK))]
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise LiveError(_why(error, port)) from None
    try:
        return [_bound("0.0.0.0", port)]
    except OSError as error:
        raise LiveError(_why(error, port)) from None


def _bound(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # a server that was killed leaves its port busy for a minute; on Windows this would share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use, perhaps by another live round. Stop that, or name another port: --port {port + 1}."
    return f"Port {port} cannot be used: {error.strerror}. Name another port: --port 8001."
