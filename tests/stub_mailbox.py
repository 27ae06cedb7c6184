"""A mailbox that says what it is told to, however little it is like MESH."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = "/messageexchange/X26ABC2"


@dataclass(slots=True, kw_only=True)
class Reply:
    """What is said to one question."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None  # what it says of its length, where that is a lie
    then: Callable[[], None] | None = None  # done before the body is ended


@dataclass(slots=True)
class StubMailbox:
    """Replies by path; what is not foreseen is 404. Remembers what it was asked."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    url: str = ""

    def lists(self, *messages: str) -> None:
        """Lets its inbox hold these messages."""
        ids = ", ".join(f'"{each}"' for each in messages)
        self.replies[f"{ROOT}/inbox"] = Reply(body=f'{{"messages": [{ids}]}}'.encode())

    def holds(self, message: str, body: bytes = b"a", **headers: str) -> Reply:
        """Lets it hold a message of our workflow; further heads by name."""
        said = {"Mex-WorkflowID": "TEST_WORKFLOW", "Mex-MessageType": "DATA"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        reply = Reply(body=body, headers=said)
        self.replies[f"{ROOT}/inbox/{message}"] = reply
        return reply


@contextmanager
def stub_mailbox() -> Iterator[StubMailbox]:
    """Such a mailbox, in clear, on a free port of 127.0.0.1."""
    stub = StubMailbox()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stub.asked.append(self.path)
            reply = stub.replies.get(self.path.partition("?")[0], Reply(status=404))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.length is None else reply.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.then is not None:
                self.wfile.flush()
                reply.then()

        def do_POST(self) -> None:
            stub.asked.append(f"POST {self.path}")
            reply = stub.replies.get(f"POST {self.path}", Reply())
            self.send_response(reply.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            message = self.path.removesuffix("/status/acknowledged").rpartition("/")[2]
            stub.acknowledged.append(message)
            self.send_response(stub.replies.get(self.path, Reply()).status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
