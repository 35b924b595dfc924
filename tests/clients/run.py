#!/usr/bin/env python3
"""Drives a nucleon server with the real clients: the `openstack` command and openstacksdk.

    python tests/clients/run.py --server target/debug/nucleon

Starts the server as a user would (`serve`, no configuration but a free port and a fresh data
directory), takes the clouds.yaml entry that it prints, runs every scenario against it and checks
what comes back. Needs python-openstackclient and openstacksdk in the Python that runs it.
"""

import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import command_line
import software_kit


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def printed_clouds(log):
    """The clouds.yaml entry among what the server printed."""
    lines = log.read_text().splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() == "clouds:"), None)
    if start is None:
        return None
    entry = [lines[start]]
    for line in lines[start + 1:]:
        if line.strip() and not line.startswith(" "):
            break
        entry.append(line)
    return "\n".join(entry) + "\n"


def launch(server, directory, port, words=()):
    """Starts the server and waits until it answers; what it says is in `stdout` and `stderr`."""
    environment = dict(os.environ, XDG_DATA_HOME=str(directory / "data"))
    with (directory / "stdout").open("w") as out, (directory / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [server, "serve", "--listen", f"127.0.0.1:{port}",
             "--vlan-ranges", "public:100:2000", "--flat-networks", "public", *words],
            stdout=out, stderr=errors, env=environment)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
            return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    sys.stderr.write((directory / "stderr").read_text())
    sys.exit("the server did not start")


def serve(server, directory):
    process = launch(server, directory, free_port())
    clouds = printed_clouds(directory / "stdout")
    if clouds is None:
        sys.exit("the server printed no clouds.yaml entry")
    (directory / "clouds.yaml").write_text(clouds)
    return process


def drive(title, process, directory, scenarios):
    """Runs each scenario as its cloud, stops the server, says how it went and ends the program."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(directory / "clouds.yaml")
    failed = passed = 0
    try:
        for cloud, scenario in scenarios:
            os.environ["OS_CLOUD"] = cloud
            good, bad = scenario()
            passed += good
            failed += bad
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
    if failed:
        sys.stderr.write((directory / "stderr").read_text()[-4000:])
    print(f"{title}: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        process = serve(os.path.abspath(arguments.server), directory)
        drive("clients", process, directory,
              [("nucleon", command_line.run), ("nucleon", software_kit.run)])


if __name__ == "__main__":
    main()
