#!/usr/bin/env python3
"""The other end of aibtc.toml: a backend whose jobs are started by POST /internal/jobs/NAME, one thread a request.

    python3 examples/backend.py [PORT]      default 8000, on loopback only
"""
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JOBS = {"chain_state_monitor": lambda: time.sleep(2)}  # your functions by name; an exception is a failed attempt
newest, gate = {}, threading.Lock()  # the newest fence seen, by job; a real backend keeps it beside the data it guards


class Backend(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))  # the arguments, as JSON
        job, fence = self.path.rpartition("/")[2], int(self.headers.get("Jobstile-Fence", 0))
        with gate:
            late = fence < newest.get(job, 0)
            newest[job] = max(fence, newest.get(job, 0))
        if late:
            return self.send_error(409, "a newer attempt is already here")
        try:
            JOBS.get(job, lambda: None)()
        except Exception as error:
            return self.send_error(500, str(error))
        self.send_response(204)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8000), Backend).serve_forever()
