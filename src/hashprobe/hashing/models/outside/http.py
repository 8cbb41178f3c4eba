"""A service at an address, which is sent a PNG and answers with a line of JSON."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from hashprobe.errors import HashprobeError, shortened
from hashprobe.hashing.models.outside.asking import MOST_ANSWER, Service, ServiceFault, ServiceSettings


class Address(Service):
    """An HTTP address of this machine; of another one only where its user says so.

    Each picture is a POST of ``image/png`` over a connection of its own. Nothing is followed elsewhere, and no proxy is asked.

    Args:
        address: With its scheme, as a browser takes it.
        settings: How it is asked.

    Raises:
        HashprobeError: no address, or one of another machine.
    """

    def __init__(self, address: str, settings: ServiceSettings) -> None:
        super().__init__(shortened(address), settings)
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise HashprobeError(f"{shortened(address)} is no address ({error}).") from None
        if not host or not address.isascii() or any(sign <= " " for sign in address):
            raise HashprobeError(f"{shortened(address)} is no address of a service.")
        if parts.username is not None or parts.password is not None:
            raise HashprobeError(
                f"the address of the service at {host} holds a user or password, which are not sent; leave them out."
            )
        if not settings.anywhere and not _is_own(host):
            raise HashprobeError(
                f"{host} is not this machine, and pictures are sent to no other (127.0.0.1, ::1 and localhost are this one); "
                "anywhere=true behind the address allows it."
            )
        self.host, self.port, self.secure = host, port, parts.scheme == "https"
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def send(self, picture: bytes) -> bytes:
        """Post a picture; see :meth:`Service.send`."""
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=self.settings.timeout)
        late, opened = threading.Event(), list[socket.socket]()

        def end() -> None:
            late.set()
            for line in opened:  # http.client forgets it where the service closes it after the answer
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)  # who waits for the next byte wakes up

        timer = threading.Timer(self.settings.timeout, end)
        timer.daemon = True
        timer.start()
        try:
            headers = {"Content-Type": "image/png", "Accept": "application/json"}
            connection.connect()
            opened.append(connection.sock)
            connection.request("POST", self.path, body=picture, headers=headers)
            response = connection.getresponse()
            answer = response.read(MOST_ANSWER + 1)
            wait, status = response.getheader("Retry-After", ""), response.status
        except (OSError, http.client.HTTPException) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                raise self._late() from None
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServiceFault(f"cannot be reached ({reason})", again=True) from None
        finally:
            timer.cancel()
            connection.close()
        if late.is_set():
            raise self._late()
        if status != 200:
            said = shortened(answer[:200].decode(errors="replace").strip(), 120)
            busy = status == 429 or status >= 500
            seconds = float(wait) if wait.isdigit() and len(wait) < 6 else 0.0
            raise ServiceFault(f"answered with status {status}, {said}", again=busy, wait=seconds)
        return answer

    def _late(self) -> ServiceFault:
        return ServiceFault(f"did not answer within {self.settings.timeout:g} seconds", again=True)


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
