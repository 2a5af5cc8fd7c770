"""Whether ``cmcseg web`` serves a page here: ``python page_answers.py FOLDER`` starts it and asks.

Exit 0 and one line when the page came; where nothing can be drawn, the command's own sentence and
its exit code, 2. Anything else is a fault.
"""

import subprocess
import sys
import threading
import time
from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

SECONDS = 300.0  # of a busy machine


def main(folder: str) -> int:
    """Start the command, ask for its page as a browser does, and end it."""
    began = time.monotonic()
    words = [sys.executable, "-m", "cmcseg", "web", folder, "--no-open", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    clock = threading.Timer(SECONDS, process.kill)
    clock.start()
    try:
        link = next((line for line in process.stdout if "http" in line), "").split()[-1:]
        if not link:
            return process.wait() or 1
        with build_opener(HTTPCookieProcessor(CookieJar())).open(link[0]) as answer:
            page = answer.read().decode("utf-8")
        if answer.status != 200 or "<title>" not in page:
            sys.stderr.write(f"No page, but {answer.status}:\n{page[:500]}\n")
            return 1
        sys.stdout.write(f"The page answered after {time.monotonic() - began:.0f} s.\n")
        return 0
    finally:
        clock.cancel()
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
