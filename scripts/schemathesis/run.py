"""Runs schemathesis against a service of its own: `run.py ALTA ST [NAMES OF CALLERS]`.

Starts `alta up` on a free port with a data directory that goes away, fills it with the samples, and
tries every operation of its OpenAPI document, once for each caller, for a bounded time. Ends with
status 1 when an answer is a 5xx, is not as the document has it, or shows something to nobody.
"""

import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

METHODS = ("get", "put", "post", "delete", "patch")
HERE = Path(__file__).resolve().parent
READY_WITHIN = 180
SECONDS_PER_CALLER = int(os.environ.get("SECONDS_PER_CALLER", "110"))
# The same requests in every run, so that what one finds the next finds too.
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
# As `alta seed` makes them; the password is for samples alone.
PASSWORD = "alta sample 2718"
# Who may do everything comes last: what is closed or deleted then is missed by nobody.
CALLERS = {"contributor": "carl@example.org", "super-admin": "admin@example.org"}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(url, body=None, token=None):
    """The answer's JSON; an HTTPError for anything but a success."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def wait_until_ready(service, url, log):
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if service.poll() is not None:
            sys.exit(f"alta ended with {service.returncode}:\n{log.read_text()}")
        try:
            ask(f"{url}/api/health/ready")
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"alta is not ready after {READY_WITHIN} s:\n{log.read_text()}")


def known_values(url, token):
    """Ids that chance would never find."""
    api = f"{url}/api"
    projects = ask(f"{api}/projects", token=token)
    items = ask(f"{api}/submissions?limit=200", token=token)
    members = ask(f"{api}/projects/{projects[-1]['id']}/members", token=token)

    def of(kind):
        return [item["id"] for item in items if item["type"] == kind]

    return {
        "projects": [project["id"] for project in projects],
        "documents": of("document"),
        "voice_samples": of("voice_sample"),
        "raw_texts": of("raw_text"),
        "items": [item["id"] for item in items],
        "people": [member["user_id"] for member in members],
    }


# Which ids stand in a path, by how it begins.
IN_PATHS = {
    "/users/": "people",
    "/admin/users/": "people",
    "/documents/": "documents",
    "/voice/": "voice_samples",
    "/raw-text/": "raw_texts",
    "/submissions/": "items",
    "/review/": "items",
    "/processing/status/": "items",
    "/projects/": "projects",
    "/analytics/user/": "people",
}


def configuration(values, document):
    """schemathesis.toml with the ids, and for each path which of them it takes."""
    text = (HERE / "schemathesis.toml").read_text()
    for name, ids in values.items():
        text += f"\n[dictionaries.{name}]\nvalues = {json.dumps(ids)}\n"
    for path, methods in document["paths"].items():
        known = [ids for prefix, ids in IN_PATHS.items() if path.startswith(prefix + "{id}")]
        for method in methods if known else []:
            # A caller who closes its own account learns nothing more.
            closes = known == ["people"] and method != "get"
            if method in METHODS and not closes:
                text += f"\n[[operations]]\ninclude-name = {json.dumps(f'{method.upper()} {path}')}\n"
                text += f'parameters."path.id" = {{ dictionary = "{known[0]}", probability = 0.7 }}\n'
    return text


def try_everything(st, name, url, token, directory):
    """Whether all was as the document has it."""
    document = ask(f"{url}/openapi.json")
    config = directory / f"{name}.toml"
    config.write_text(configuration(known_values(url, token), document))
    print(f"schemathesis as {name}, at most {SECONDS_PER_CALLER} s", flush=True)
    command = [st, "--config-file", str(config), "run", f"{url}/openapi.json"]
    command += ["--max-time", str(SECONDS_PER_CALLER), "--seed", SEED, "--no-color"]
    command += ["--header", f"Authorization: Bearer {token}"]
    passed = subprocess.run(command, cwd=directory).returncode == 0
    # Had the caller been locked out on the way, nothing but refusals would have been seen.
    ask(f"{url}/api/auth/me", token=token)
    return passed


def tell_what_was_met(log, document):
    """How often each status was given, and which operations never succeeded: not every one can."""
    statuses, succeeded = collections.Counter(), set()
    for line in log.read_text().splitlines():
        if '"message":"answered"' in line:
            answered = json.loads(line)
            statuses[answered["status"]] += 1
            if answered["status"] < 400:
                succeeded.add((answered["span"]["method"], answered["span"]["route"]))
    print("answers:", ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items())))
    operations = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in METHODS
    }
    never = sorted(f"{method} {path}" for method, path in operations - succeeded)
    print(f"{len(operations) - len(never)} of {len(operations)} operations succeeded at least once")
    if never:
        print("never:", ", ".join(never), flush=True)


def main(alta, st, *chosen):
    directory = Path(tempfile.mkdtemp(prefix="alta-schemathesis-"))
    log = directory / "alta.log"
    url = f"http://127.0.0.1:{free_port()}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = kept | {
        "ALTA_DATA_DIR": str(directory / "data"),
        "PORT": url.rsplit(":", 1)[1],
        "RATE_LIMIT_ENABLED": "false",
        "LOG_FORMAT": "json",
    }
    with log.open("wb") as output:
        service = subprocess.Popen(
            [os.path.abspath(alta), "up"],
            cwd=directory,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until_ready(service, url, log)
        seed = [os.path.abspath(alta), "seed", "--env", "development"]
        with (directory / "seed.log").open("wb") as output:
            subprocess.run(seed, cwd=directory, env=environment, check=True, stdout=output, stderr=output)
        failed = []
        for name, email in CALLERS.items():
            if chosen and name not in chosen:
                continue
            body = {"email": email, "password": PASSWORD}
            token = ask(f"{url}/api/auth/login", body)["access_token"]
            if not try_everything(os.path.abspath(st), name, url, token, directory):
                failed.append(name)
        tell_what_was_met(log, ask(f"{url}/openapi.json"))
        if service.poll() is not None:
            failed.append("the service, which ended")
        if failed:
            errors = [line for line in log.read_text().splitlines() if '"ERROR"' in line]
            print("\n".join(["the service's errors:", *errors[-20:]]), file=sys.stderr)
            sys.exit(f"schemathesis: not as documented for {', '.join(failed)}")
    finally:
        service.send_signal(signal.SIGTERM)
        try:
            service.wait(timeout=60)
        except subprocess.TimeoutExpired:
            service.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
